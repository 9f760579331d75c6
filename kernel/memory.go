//go:build metal

package kernel

import (
	"nuos/mm"
)

// The memory system calls, which are mm's.

func mmap(addr, length, prot, flags uint64) uint64 {
	v, e := space().Mmap(mm.Virt(addr), length, mm.Prot(prot), flags)
	if e != 0 {
		return errno(e)
	}
	return uint64(v)
}

func munmap(addr, length uint64) uint64 {
	return errno(space().Munmap(mm.Virt(addr), length))
}

func mprotect(addr, length, prot uint64) uint64 {
	return errno(space().Mprotect(mm.Virt(addr), length, mm.Prot(prot)))
}

func madvise(addr, length, advice uint64) uint64 {
	return errno(space().Madvise(mm.Virt(addr), length, int(advice)))
}
