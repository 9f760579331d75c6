//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/internal/x86"
)

// reportCrash tells a hypervisor that has QEMU's pvpanic device (QEMU,
// docs/specs/pvpanic.txt) that the machine has crashed. It may stop the machine to
// save its memory before it lets it go on to its end. Without the device the port
// reads as all ones, or zero.
func reportCrash() {
	const port, panicked = 0x505, 1
	if events := x86.In8(port); events != 0xFF && events&panicked != 0 {
		x86.Out8(port, panicked)
	}
}

// dumpsCore reports whether a process that a signal ends leaves a core
// (signal(7)).
func dumpsCore(signo int32) bool {
	switch syscall.Signal(signo) {
	case syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGQUIT,
		syscall.SIGSEGV, syscall.SIGSYS, syscall.SIGTRAP, syscall.SIGXCPU, syscall.SIGXFSZ:
		return true
	}
	return false
}
