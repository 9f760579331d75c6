package proclet

import (
	"runtime"
	"unsafe"
)

// All machines of a rack run the same bytes, so what the linker has laid out
// once (code, types, dictionaries of generic code, interface tables) can be
// named between machines by its offset in the program. Nothing has to be
// registered for that, and a machine can host a state type it never made.
//
// An offset that arrives is believed only after a look at what is there.

// offset is a place in the program, counted from the start of its code. 0 is
// no place.
type offset uint64

var image = boundsOfImage()

// bounds are the ends of the program's parts that never change. Linked as a
// position-independent program types lie apart from the other read-only data,
// otherwise among them.
type bounds struct {
	text, etext     uintptr
	rodata, erodata uintptr
	types, etypes   uintptr
}

func imageBounds() (text, etext, rodata, erodata, types, etypes uintptr)

func boundsOfImage() (b bounds) {
	b.text, b.etext, b.rodata, b.erodata, b.types, b.etypes = imageBounds()
	return b
}

// constant reports whether the size bytes at p are read-only data of the
// program, and p aligned like a pointer.
func (b *bounds) constant(p, size uintptr) bool {
	return p%8 == 0 && p+size >= p &&
		(p >= b.rodata && p+size <= b.erodata || p >= b.types && p+size <= b.etypes)
}

// hasClosure reports whether the linker has laid down what a func value points to.
func (b *bounds) hasClosure(c *closure) bool {
	return uintptr(unsafe.Pointer(c))-b.rodata < b.erodata-b.rodata
}

func (b *bounds) code(p uintptr) bool { return p >= b.text && p < b.etext }

func (b *bounds) offset(p uintptr) offset  { return offset(p - b.text) }
func (b *bounds) address(o offset) uintptr { return b.text + uintptr(o) }

// entry reports whether p is where a function starts.
func (b *bounds) entry(p uintptr) bool {
	if !b.code(p) {
		return false
	}
	f := runtime.FuncForPC(p)
	return f != nil && f.Entry() == p
}

// word reads a word of the program's read-only data.
func (b *bounds) word(p uintptr) uintptr { return *(*uintptr)(constantAt(p)) }

// constantAt turns the address of something constant, which is nowhere near
// Go's heap, into a pointer.
func constantAt(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
