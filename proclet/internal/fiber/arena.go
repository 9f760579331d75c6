package fiber

import (
	"unsafe"

	"nuos/mm"
)

// Alloc returns n zeroed bytes of the arena, aligned to 8, that live until Release
// of a mark taken before, or nil if the arena is full. Only f calls it.
//
// The collector does not look there: no pointers into Go's heap.
func (f *Fiber) Alloc(n uintptr) unsafe.Pointer {
	p := f.AllocDirty(n)
	if p != nil {
		clear(unsafe.Slice((*byte)(p), n))
	}
	return p
}

// AllocDirty is Alloc for what the caller overwrites: the bytes are whatever they
// were. They must not be overwritten with pointers one by one, since the
// collector's write barrier looks at what was there before.
func (f *Fiber) AllocDirty(n uintptr) unsafe.Pointer {
	at := f.arena
	if n > ArenaSize || f.address()&^(RegionSize-1)+ArenaSize-at < n {
		return nil
	}
	f.arena = at + (n+7)&^7
	return pointer(at)
}

// Mark returns what Release needs to free what is allocated from now on.
func (f *Fiber) Mark() uintptr { return f.arena }

// Release frees what was allocated since mark was taken.
func (f *Fiber) Release(mark uintptr) {
	f.Spoil(mark, f.arena)
	f.arena = mark
}

// Pass sets what was allocated since mark aside for the function that f Calls next:
// it lies above the boundary, and goes with that function when the stack is split.
// The function begins with Take of what Pass returns.
func (f *Fiber) Pass(mark uintptr) (top uintptr) {
	top, f.arena = f.arena, mark
	return top
}

// Take is the other half of Pass.
func (f *Fiber) Take(top uintptr) { f.arena = top }

// Spoil says that nobody uses what lies between two marks any more, though it is
// not free yet. In a program built with the tag proclet_debug it is filled
// with a pattern, like everything that is freed: who uses it nevertheless notices.
func (f *Fiber) Spoil(from, to uintptr) {
	if mm.Debug {
		poison(from, to)
	}
}

func poison(from, to uintptr) {
	for ; from < to; from += 8 {
		*word(from) = mm.PoisonWord
	}
}
