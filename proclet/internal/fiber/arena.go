package fiber

import "unsafe"

// Alloc returns n zeroed bytes of the arena, aligned to 8, that live until Release
// of a mark taken before, or nil if the arena is full. Only f calls it.
//
// The collector does not look there: no pointers into Go's heap.
func (f *Fiber) Alloc(n uintptr) unsafe.Pointer {
	end := uintptr(f.Region().Base) + ArenaSize
	if n > ArenaSize || end-f.arena < n {
		return nil
	}
	p := pointer(f.arena)
	clear(unsafe.Slice((*byte)(p), n))
	f.arena += (n + 7) &^ 7
	return p
}

// Mark returns what Release needs to free what is allocated from now on.
func (f *Fiber) Mark() uintptr { return f.arena }

// Release frees what was allocated since mark was taken.
func (f *Fiber) Release(mark uintptr) { f.arena = mark }
