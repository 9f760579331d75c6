package mm

import "syscall"

// Stand-in for Map and Unmap.
var mapHeap = func(r Range) error {
	_, _, e := syscall.Syscall6(syscall.SYS_MMAP, uintptr(r.Base), uintptr(r.Size), 3, 0x22|0x100000, ^uintptr(0), 0)
	if e != 0 {
		return e
	}
	return nil
}

var unmapHeap = func(r Range) {
	syscall.Syscall(syscall.SYS_MUNMAP, uintptr(r.Base), uintptr(r.Size), 0)
}
