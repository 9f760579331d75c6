package mm

import (
	"syscall"
	"testing"
	"unsafe"
)

// newArena gives an allocator size bytes of ordinary process memory, with
// rubbish in the first 64 MiB, that stand for physical memory from address 0. None is added.
func newArena(t testing.TB, f *frames, size uint64) {
	t.Helper()
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	for i := uint64(0); i < min(size, 64<<20); i += PageSize {
		b[i] = 0xa5
	}
	f.direct = Virt(uintptr(unsafe.Pointer(&b[0])))
	f.startsDirty = true
}

// fillArena is newArena with all of its memory but frame 0 added.
func fillArena(t testing.TB, f *frames, size uint64) {
	t.Helper()
	newArena(t, f, size)
	if unused := f.add([]PhysRange{{0, size}}, nil); unused != 0 {
		t.Fatalf("add left %d bytes unused", unused)
	}
}
