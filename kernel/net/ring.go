package net

import (
	"sync/atomic"
	"unsafe"

	"nuos/kernel"
)

// ring is a queue of bytes with one writer and one reader, of which one is a
// system call and the other the pump. The memory lies outside the Go heap and
// belongs to the socket's block (memory.go).
//
// head and tail count bytes since the beginning, modulo 2^32; the size is a
// power of two below that. The reader owns head and the writer tail: each
// stores its own after the bytes were copied, so the other never sees bytes
// that are not there.
type ring struct {
	base uintptr // 0: no memory
	size uint32

	head atomic.Uint32 // read so far
	tail atomic.Uint32 // written so far
}

func (r *ring) attach(base uintptr, size uint32) {
	r.base, r.size = base, size
	r.head.Store(0)
	r.tail.Store(0)
}

func (r *ring) used() uint32 { return r.tail.Load() - r.head.Load() }
func (r *ring) free() uint32 { return r.size - r.used() }

// at returns the bytes from position pos on that lie in one piece, at most n.
//
// The conversion makes a pointer of an address that is not one of Go's heap:
// it is of a mapping that is never undone.
func (r *ring) at(pos, n uint32) []byte {
	off := pos & (r.size - 1)
	addr := r.base + uintptr(off)
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), min(n, r.size-off))
}

// put copies b to position pos. The caller has checked that there is room.
func (r *ring) put(pos uint32, b []byte) {
	n := copy(r.at(pos, uint32(len(b))), b)
	copy(r.at(pos+uint32(n), uint32(len(b)-n)), b[n:])
}

// get fills b from position pos.
func (r *ring) get(pos uint32, b []byte) {
	n := copy(b, r.at(pos, uint32(len(b))))
	copy(b[n:], r.at(pos+uint32(n), uint32(len(b)-n)))
}

// putUser copies n bytes of the program's memory to position pos and reports
// whether all of it could be read. Handler context.
func (r *ring) putUser(pos uint32, addr uintptr, n uint32) bool {
	first := r.at(pos, n)
	if !kernel.CopyIn(first, addr) {
		return false
	}
	done := uint32(len(first))
	return done == n || kernel.CopyIn(r.at(pos+done, n-done), addr+uintptr(done))
}

// getUser copies n bytes from position pos to the program's memory and reports
// whether all of it could be written. Handler context.
func (r *ring) getUser(pos uint32, addr uintptr, n uint32) bool {
	first := r.at(pos, n)
	if !kernel.CopyOut(addr, first) {
		return false
	}
	done := uint32(len(first))
	return done == n || kernel.CopyOut(addr+uintptr(done), r.at(pos+done, n-done))
}
