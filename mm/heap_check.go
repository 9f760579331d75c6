package mm

import "fmt"

// Check empties the caches, walks the whole heap and verifies everything that the
// allocator relies on. The error is ErrHeapCorrupt and says what is wrong.
func (h *Heap) Check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: heap at %#x: %s", ErrHeapCorrupt, h.base, fmt.Sprintf(format, args...))
	}
	if h.magic != heapMagic {
		return bad("magic is %#x", h.magic)
	}
	h.flush()
	if h.end > h.capacity || h.top > h.capacity+headerSize || h.top > h.end+headerSize || h.top%blockAlign != 0 {
		return bad("top %#x, mapped up to %#x, capacity %#x", h.top, h.end, h.capacity)
	}

	// Every block, in order of address.
	free := map[uint64]uint64{}
	var used, holes, idle uint64
	var before uint64 // size of the block before if that is free
	p := uint64(firstBlock)
	for p < h.top {
		size, fl := h.size(p), *h.header(p)&flags
		if size < minBlock || size%blockAlign != 0 || p+size > h.top {
			return bad("block %#x has size %#x", p, size)
		}
		if (fl&flagPrevFree != 0) != (before != 0) {
			return bad("block %#x is wrong about the block before it", p)
		}
		if before != 0 && *h.prevSize(p) != before {
			return bad("block %#x takes the block before it for %#x bytes, which has %#x", p, *h.prevSize(p), before)
		}
		if fl&flagFree == 0 {
			used += size
			before = 0
		} else {
			if before != 0 {
				return bad("free block %#x was not merged with the one before it", p)
			}
			free[p] = size
			before = size
			all, hole := inner(p, size), h.holeOf(p)
			if hole != (pageRun{}) && (hole.from < all.from || hole.to > all.to || hole.from > hole.to || hole.bytes() < skipFree) {
				return bad("block %#x has a hole %#x", p, hole)
			}
			holes += hole.bytes()
			idle += h.idleOf(p)
			if off := h.unpoisoned(p, hole); off != 0 {
				return bad("something was written to free memory at %#x", off)
			}
		}
		p += size
	}
	if p != h.top {
		return bad("blocks end at %#x, not at %#x", p, h.top)
	}
	if before != 0 {
		return bad("the last block is free")
	}
	if used != h.used || h.used > h.peak {
		return bad("%d bytes are used, %d are counted, peak %d", used, h.used, h.peak)
	}

	if holes != h.holes || idle != h.idle {
		return bad("holes of %d bytes, %d idle; %d and %d are counted", holes, idle, h.holes, h.idle)
	}
	if off := h.written(h.top, h.end); off != 0 {
		return bad("something was written to free memory at %#x", off)
	}

	// Every list.
	for i := range h.lists {
		if (h.second[i] != 0) != (h.first>>i&1 != 0) {
			return bad("bit %d of %#x is wrong", i, h.first)
		}
		for j, r := range h.lists[i] {
			if (r != 0) != (h.second[i]>>j&1 != 0) {
				return bad("bit %d of %#x is wrong", j, h.second[i])
			}
			for prev := ref(0); r != 0; r = *h.nextFree(r.offset()) {
				p := r.offset()
				size, ok := free[p]
				if !ok {
					return bad("list %d.%d holds %#x, which is not free or there twice", i, j, p)
				}
				if a, b := listOf(size); a != i || b != j {
					return bad("list %d.%d holds a block of %#x bytes", i, j, size)
				}
				if *h.prevInList(p) != prev {
					return bad("list %d.%d is broken at %#x", i, j, p)
				}
				delete(free, p)
				prev = r
			}
		}
	}
	if len(free) != 0 {
		return bad("%d free blocks are in no list", len(free))
	}
	return nil
}
