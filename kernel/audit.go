//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/mm"
)

// AuditMemory looks through all page tables for memory that can be written and
// executed. Goroutine context; other calls of the kernel wait meanwhile.
func AuditMemory() (a mm.Audit) {
	syscall.RawSyscall(nrAudit, uintptr(unsafe.Pointer(&a)), 0, 0)
	return a
}

func auditMemory(addr uint64) uint64 {
	a := space().Audit()
	if !copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a)) {
		return errno(eFAULT)
	}
	return 0
}
