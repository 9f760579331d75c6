package mm

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// Small blocks that are freed wait in a cache, as they are, for the next allocation
// of their size. That is faster than to merge and divide them, and there are several
// caches, so that threads that run at the same time do not wait for each other.
// For everything else a block in a cache is an allocated one.
//
// A cached block keeps the free memory around it apart, so that a few hundred of
// them could hold any amount of frames. In a heap much of which is free nothing is
// cached: see measure.
//
// With proclet_debug nothing is cached, so that freed memory is poisoned at once.
type cache struct {
	mu    sync.Mutex
	count [cachedSizes]uint8
	first [cachedSizes]ref // linked by nextFree
	_     [16]byte         // fills a cache line
}

const (
	heapCaches  = 4
	cachedSizes = 8 // from minBlock, in steps of blockAlign
	cachedMost  = 8 // blocks of each size

	// cachedMark, mixed with the address, is in the second word of a cached block.
	cachedMark = 0x6e756f7363616368 // "nuoscach"
)

// cachedSize returns the list for blocks of n bytes; they are cached if it is less
// than cachedSizes.
func cachedSize(n uint64) uint64 { return (n - minBlock) / blockAlign }

// near returns a cache for the calling goroutine. Which one is of no importance:
// those that run at the same time have different stacks, and mostly get different
// ones.
func (h *Heap) near() *cache {
	var here byte
	at := uint64(uintptr(unsafe.Pointer(&here)))
	return &h.caches[(at>>13^at>>26)%heapCaches]
}

// takeCached returns a cached block of n bytes, or 0.
func (h *Heap) takeCached(n uint64) uint64 {
	i := cachedSize(n)
	if i >= cachedSizes || Debug {
		return 0
	}
	c := h.near()
	if !c.mu.TryLock() {
		return 0
	}
	p := c.first[i].offset()
	if p != 0 {
		c.first[i] = *h.nextFree(p)
		c.count[i]--
		*h.word(p + 8) = 0
	}
	c.mu.Unlock()
	return p
}

// putCached caches the block of the object at p, if that is small and there is
// room.
func (h *Heap) putCached(p unsafe.Pointer) bool {
	off := uint64(uintptr(p)) - uint64(h.base)
	if Debug || off < firstBlock || off >= h.capacity || off%blockAlign != 0 {
		return false
	}
	// The size of an allocated block does not change; its flags may at any time.
	size := atomic.LoadUint64(h.header(off))
	i := cachedSize(size &^ flags)
	if size&flagFree != 0 || i >= cachedSizes || off+size-headerSize > h.limit || *h.word(off + 8) == cachedMark^off {
		return false
	}
	c := h.near()
	if !c.mu.TryLock() {
		return false
	}
	room := c.count[i] < cachedMost && !h.sparse.Load() // whoever sets sparse flushes then
	if room {
		*h.nextFree(off) = c.first[i]
		*h.word(off + 8) = cachedMark ^ off
		c.first[i] = refTo(off)
		c.count[i]++
	}
	c.mu.Unlock()
	return room
}

// isCached reports whether the allocated block p is in a cache, or waits to be freed.
// Called with mu held.
func (h *Heap) isCached(p uint64) (found bool) {
	if *h.word(p + 8) != cachedMark^p {
		return false
	}
	if h.isDeferred(p) {
		return true
	}
	for i := range h.caches {
		c := &h.caches[i]
		c.mu.Lock()
		for _, r := range c.first {
			for ; r != 0; r = *h.nextFree(r.offset()) {
				found = found || r.offset() == p
			}
		}
		c.mu.Unlock()
	}
	return found
}

// flush frees what is cached. Called with mu held.
func (h *Heap) flush() {
	for i := range h.caches {
		c := &h.caches[i]
		c.mu.Lock()
		for j, r := range c.first {
			for r != 0 {
				p := r.offset()
				r = *h.nextFree(p)
				h.free(p)
			}
			c.first[j], c.count[j] = 0, 0
		}
		c.mu.Unlock()
	}
}

// cached returns how many bytes are cached. Called with mu held.
func (h *Heap) cached() (bytes uint64) {
	for i := range h.caches {
		c := &h.caches[i]
		c.mu.Lock()
		for j, n := range c.count {
			bytes += uint64(n) * (minBlock + uint64(j)*blockAlign)
		}
		c.mu.Unlock()
	}
	return bytes
}
