package mm

import (
	"fmt"
	"unsafe"
)

// Alloc returns size bytes of zeroed memory, aligned to 16 bytes. An object of
// no size gets an address of its own as well. On any error nothing has
// changed: ErrHeapFull when the capacity is used up, ErrNoMemory when the
// machine has no frames left.
func (h *Heap) Alloc(size uint64) (unsafe.Pointer, error) {
	return h.allocZeroed(size, h.limit)
}

// AllocBytes is Alloc without the zeroing: the memory holds anything, also what was a pointer
// into Go's heap once. The caller must overwrite it all, and not with pointers one by one,
// since the collector's write barrier looks at what was there before.
func (h *Heap) AllocBytes(size uint64) (unsafe.Pointer, error) {
	return h.alloc(size, h.limit)
}

// AllocReserved is Alloc for what a full heap must still have room for: it
// may use the last part of the heap, 1/32 of the capacity but at most 64 KiB,
// in which Alloc never places anything.
func (h *Heap) AllocReserved(size uint64) (unsafe.Pointer, error) {
	return h.allocZeroed(size, h.capacity)
}

// AllocReservedBytes is to AllocReserved what AllocBytes is to Alloc.
func (h *Heap) AllocReservedBytes(size uint64) (unsafe.Pointer, error) {
	return h.alloc(size, h.capacity)
}

func (h *Heap) allocZeroed(size, limit uint64) (unsafe.Pointer, error) {
	p, err := h.alloc(size, limit)
	if err == nil {
		clear(unsafe.Slice((*byte)(p), size))
	}
	return p, err
}

func (h *Heap) alloc(size, limit uint64) (unsafe.Pointer, error) {
	if size > h.capacity {
		return nil, ErrHeapFull
	}
	n := max(minBlock, (size+headerSize+blockAlign-1)&^(blockAlign-1))
	if p := h.takeCached(n); p != 0 {
		return unsafe.Add(unsafe.Pointer(h), p), nil
	}
	h.mu.Lock()
	p, err := h.place(n, limit)
	if err != nil {
		h.flush()
		p, err = h.place(n, limit)
	}
	if err != nil {
		h.mu.Unlock()
		return nil, err
	}
	h.used += h.size(p)
	h.peak = max(h.peak, h.used)
	if h.sparse.Load() {
		h.measure()
	}
	h.mu.Unlock()
	return unsafe.Add(unsafe.Pointer(h), p), nil
}

// place makes an allocated block of n bytes, or a little more, that ends before
// limit.
func (h *Heap) place(n, limit uint64) (uint64, error) {
	if p := h.take(n, limit); p != 0 {
		hole, err := h.fill(p, n)
		if err != nil {
			h.link(p, h.size(p), hole)
			return 0, err
		}
		h.checkPoison(p, hole)
		h.cut(p, n, hole)
		return p, nil
	}
	p := h.top
	end := p + n - headerSize
	if end > limit {
		return 0, ErrHeapFull
	}
	if end > h.end {
		if err := h.grow(end); err != nil {
			return 0, err
		}
	}
	h.checkUnused(p, end)
	*h.header(p) = n
	h.top = p + n
	return p, nil
}

// cut makes the free block p, which is in no list, an allocated one of n bytes
// if the rest, which has the hole then, is large enough to be a block.
func (h *Heap) cut(p, n uint64, hole pageRun) {
	size := h.size(p)
	if size-n < minBlock {
		*h.header(p) = size
		*h.header(p + size) &^= flagPrevFree
		return
	}
	*h.header(p) = n
	h.link(p+n, size-n, hole)
}

// Free gives the memory of an object back. It panics if p is not an allocated
// object of the heap: using an object after freeing it is a bug that would
// corrupt others.
func (h *Heap) Free(p unsafe.Pointer) {
	if h.putCached(p) {
		return
	}
	h.mu.Lock()
	h.free(h.offset(p))
	h.measure()
	if h.idle+h.end-roundUp(h.top, PageSize) > heapSlack {
		h.giveBack()
	}
	h.mu.Unlock()
}

// free frees the allocated block off.
func (h *Heap) free(off uint64) {
	if h.deferFree(off) {
		return
	}
	size := h.size(off)
	h.used -= size
	h.poison(off, off+size-headerSize)
	var hole pageRun
	if next := off + size; next != h.top && *h.header(next)&flagFree != 0 {
		h.unlink(next)
		hole = h.holeOf(next)
		size += h.size(next)
		h.poison(next-headerSize, next+freeHeader)
	}
	if *h.header(off)&flagPrevFree != 0 {
		prev := off - *h.prevSize(off)
		h.unlink(prev)
		size += off - prev
		*h.header(off) |= flagFree // so that a second Free of p is noticed
		h.poison(off-2*headerSize, off)
		hole = h.join(h.holeOf(prev), hole)
		off = prev
	}
	if off+size == h.top {
		if hole.from != hole.to { // the heap ends there now
			mustUnmap(h.addresses(pageRun{hole.to, uint32(h.end / PageSize)}))
			h.end = uint64(hole.from) * PageSize
		}
		h.poison(off-headerSize, min(off+freeHeader, h.end))
		h.poison(h.top-2*headerSize, min(h.top, h.end))
		*h.header(off) = flagFree
		h.top = off
	} else {
		h.link(off, size, hole)
	}
}

// join returns the hole of a free block that is made of two with these holes,
// after making one of both.
func (h *Heap) join(a, b pageRun) pageRun {
	switch {
	case a.from == a.to:
		return b
	case b.from == b.to:
		return a
	}
	mustUnmap(h.addresses(pageRun{a.to, b.from})) // neighbours are not mapped: nothing has to be divided
	return pageRun{a.from, b.to}
}

// UsableSize returns how many bytes of the object p may be used: at least the
// size it was allocated with.
func (h *Heap) UsableSize(p unsafe.Pointer) uint64 {
	h.mu.Lock()
	size := h.size(h.offset(p))
	h.mu.Unlock()
	return size - headerSize
}

// offset returns the offset of an allocated object. Otherwise it unlocks the heap
// and panics.
func (h *Heap) offset(p unsafe.Pointer) uint64 {
	off := uint64(uintptr(p)) - uint64(h.base)
	if off < firstBlock || off >= h.top || off%blockAlign != 0 || *h.header(off)&flagFree != 0 ||
		h.size(off) < minBlock || off+h.size(off) > h.top || h.isCached(off) {
		h.mu.Unlock()
		panic(fmt.Sprintf("mm: %p is not an object of the heap at %#x", p, h.base))
	}
	return off
}
