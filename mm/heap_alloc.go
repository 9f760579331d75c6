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
	p, err := h.alloc(size, h.limit)
	if err == nil {
		clear(unsafe.Slice((*byte)(p), size))
	}
	return p, err
}

// AllocBytes is Alloc without the zeroing: the memory holds anything, and the
// caller must overwrite it all before anybody reads pointers from it.
func (h *Heap) AllocBytes(size uint64) (unsafe.Pointer, error) {
	return h.alloc(size, h.limit)
}

// AllocReserved is AllocBytes for what a full heap must still have room for: it
// may use the last part of the heap, 1/32 of the capacity but at most 64 KiB,
// in which Alloc never places anything.
func (h *Heap) AllocReserved(size uint64) (unsafe.Pointer, error) {
	return h.alloc(size, h.capacity)
}

func (h *Heap) alloc(size, limit uint64) (unsafe.Pointer, error) {
	if size > h.capacity {
		return nil, ErrHeapFull
	}
	n := max(minBlock, (size+headerSize+blockAlign-1)&^(blockAlign-1))
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.take(n, limit)
	if p != 0 {
		h.cut(p, n)
	} else {
		p = h.top
		if p+n-headerSize > limit {
			return nil, ErrHeapFull
		}
		if err := h.grow(p + n - headerSize); err != nil {
			return nil, err
		}
		*h.header(p) = n
		h.top = p + n
	}
	h.used += h.size(p)
	h.peak = max(h.peak, h.used)
	return unsafe.Add(unsafe.Pointer(h), p), nil
}

// cut makes the free block p, which is in no list, an allocated one of n bytes
// if the rest is large enough to be a block.
func (h *Heap) cut(p, n uint64) {
	size := h.size(p)
	if size-n < minBlock {
		*h.header(p) = size
		*h.header(p + size) &^= flagPrevFree
		return
	}
	*h.header(p) = n
	h.link(p+n, size-n)
}

// Free gives the memory of an object back. It panics if p is not an allocated
// object of the heap: using an object after freeing it is a bug that would
// corrupt others.
func (h *Heap) Free(p unsafe.Pointer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	off := h.offset(p)
	size := h.size(off)
	h.used -= size
	if next := off + size; next != h.top && *h.header(next)&flagFree != 0 {
		h.unlink(next)
		size += h.size(next)
	}
	if *h.header(off)&flagPrevFree != 0 {
		prev := off - *h.prevSize(off)
		h.unlink(prev)
		size += off - prev
		*h.header(off) |= flagFree // so that a second Free of p is noticed
		off = prev
	}
	if off+size == h.top {
		*h.header(off) |= flagFree
		h.top = off
		return
	}
	h.link(off, size)
}

// UsableSize returns how many bytes of the object p may be used: at least the
// size it was allocated with.
func (h *Heap) UsableSize(p unsafe.Pointer) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.size(h.offset(p)) - headerSize
}

// offset returns the offset of an allocated object.
func (h *Heap) offset(p unsafe.Pointer) uint64 {
	off := uint64(uintptr(p)) - uint64(h.base)
	if off < firstBlock || off >= h.top || off%blockAlign != 0 || *h.header(off)&flagFree != 0 ||
		h.size(off) < minBlock || off+h.size(off) > h.top {
		panic(fmt.Sprintf("mm: %p is not an object of the heap at %#x", p, h.base))
	}
	return off
}
