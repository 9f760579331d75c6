package mm

import (
	"syscall"
	"testing"
	"unsafe"
)

// newArena returns an allocator over size bytes of ordinary process memory
// that stand for physical memory from address 0, filled with rubbish.
func newArena(t testing.TB, size uint64) (*frames, Virt) {
	t.Helper()
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	for i := uint64(0); i < size; i += PageSize {
		b[i] = 0xa5
	}
	base := Virt(uintptr(unsafe.Pointer(&b[0])))
	return &frames{direct: base, startsDirty: true}, base
}

// fullArena is newArena with all of its memory but frame 0 added.
func fullArena(t testing.TB, size uint64) *frames {
	t.Helper()
	f, _ := newArena(t, size)
	if unused := f.add([]PhysRange{{0, size}}, nil); unused != 0 {
		t.Fatalf("add left %d bytes unused", unused)
	}
	return f
}
