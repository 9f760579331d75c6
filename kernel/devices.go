//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// What drivers ask of the kernel, from goroutines.

// AllocMSI returns the message with which a device makes eventfd readable. It
// goes to the first processor. Vectors are never given back, and the eventfd
// stays alive for the device's sake after it is closed. Goroutine context.
func AllocMSI(eventfd int) (addr uint64, data uint32, err error) {
	r, _, e := syscall.RawSyscall(nrAllocMSI, uintptr(eventfd), 0, 0)
	switch {
	case e == syscall.ENOSPC:
		return 0, 0, ErrNoVector
	case e != 0:
		return 0, 0, e
	}
	return 0xFEE00000 | uint64(r>>8)<<12, uint32(r & 0xFF), nil
}

// WatchWord makes idle processors look at the word that word points to, which a
// device writes, and make eventfd readable when it changes: sooner and cheaper
// than by interrupt. Where there is no interrupt behind the word, alone, the first
// processor looks at it every millisecond, whatever it does. Memory from mm.AllocDMA
// only. Goroutine context.
func WatchWord(word *uint16, eventfd int, alone bool) error {
	flag := uintptr(0)
	if alone {
		flag = 1
	}
	_, _, e := syscall.RawSyscall(nrWatchWord, uintptr(unsafe.Pointer(word)), uintptr(eventfd), flag)
	if e != 0 {
		return e
	}
	return nil
}

// UnwatchWord ends WatchWord. The memory may be freed afterwards. Goroutine
// context.
func UnwatchWord(word *uint16) {
	syscall.RawSyscall(nrUnwatchWord, uintptr(unsafe.Pointer(word)), 0, 0)
}
