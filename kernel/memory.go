//go:build metal

package kernel

import (
	"syscall"

	"nuos/mm"
)

// The memory system calls, which are mm's. Those of files are in filemap.go.

func mmap(addr, length, prot, flags uint64, fd int32, offset uint64) (r uint64) {
	const anonymous, populate, populateRead = 0x20, 0x8000, 22
	prot &= uint64(mm.ProtRead | mm.ProtWrite | mm.ProtExec) // Linux ignores the rest, too
	if offset%mm.PageSize != 0 {
		return errno(eINVAL)
	}
	if flags&anonymous == 0 {
		lock()
		r = mmapFile(addr, length, prot, flags, fd, offset)
		unlock()
		if flags&populate != 0 && int64(r) > 0 {
			populateFiles(r, length, populateRead)
		}
	} else {
		r = result(space().Mmap(mm.Virt(addr), length, mm.Prot(prot), flags))
	}
	releaseUnmapped()
	return r
}

// result is that of a call that returns an address.
func result(v mm.Virt, e syscall.Errno) uint64 {
	if e != 0 {
		return errno(e)
	}
	return uint64(v)
}

func munmap(addr, length uint64) uint64 {
	e := space().Munmap(mm.Virt(addr), length)
	releaseUnmapped()
	return errno(e)
}

func mremap(addr, oldSize, newSize, flags, to uint64) uint64 {
	r := result(space().Mremap(mm.Virt(addr), oldSize, newSize, flags, mm.Virt(to)))
	releaseUnmapped()
	return r
}

func mprotect(addr, length, prot uint64) uint64 {
	if prot > 0xFF {
		return errno(eINVAL) // stacks that grow by themselves among others
	}
	return errno(space().Mprotect(mm.Virt(addr), length, mm.Prot(prot)))
}

func madvise(addr, length, advice uint64) uint64 {
	const populateRead, populateWrite = 22, 23
	e := space().Madvise(mm.Virt(addr), length, int(int32(advice)))
	if e == 0 && (advice == populateRead || advice == populateWrite) {
		e = populateFiles(addr, length, advice)
	}
	return errno(e)
}

// mincore is mincore(2).
func mincore(addr, length, vector uint64) uint64 {
	const limit = 1 << 47
	switch {
	case addr%mm.PageSize != 0:
		return errno(eINVAL)
	case addr > limit || length > limit-addr:
		return errno(syscall.ENOMEM)
	}
	pages := (length + mm.PageSize - 1) / mm.PageSize
	for done := uint64(0); done < pages; {
		var some [512]byte
		n := min(pages-done, uint64(len(some)))
		if e := space().Resident(mm.Virt(addr+done*mm.PageSize), some[:n]); e != 0 {
			return errno(e)
		}
		if !CopyOut(uintptr(vector+done), some[:n]) {
			return errno(eFAULT)
		}
		done += n
	}
	return 0
}
