//go:build metal

package kernel

import (
	"syscall"

	"nuos/mm"
)

// The memory system calls, which are mm's. Those of files are in filemap.go.

func mmap(addr, length, prot, flags uint64, fd int32, offset uint64) (r uint64) {
	const anonymous = 0x20
	if flags&anonymous == 0 {
		lock()
		r = mmapFile(addr, length, prot, flags, fd, offset)
		unlock()
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

func mprotect(addr, length, prot uint64) uint64 {
	return errno(space().Mprotect(mm.Virt(addr), length, mm.Prot(prot)))
}

func madvise(addr, length, advice uint64) uint64 {
	return errno(space().Madvise(mm.Virt(addr), length, int(advice)))
}
