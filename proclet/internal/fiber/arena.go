package fiber

import "unsafe"

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
func (f *Fiber) Release(mark uintptr) { f.arena = mark }
