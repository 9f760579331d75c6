package mm

import "fmt"

// skipFree is the least number of bytes inside a free block that are worth a
// gap between two used ranges.
const skipFree = 4 * PageSize

// Used returns the pages whose contents matter, as few ranges in ascending
// order: what has never been used and long free runs are left out. The first
// range starts at the start of the heap.
func (h *Heap) Used() []Range {
	h.mu.Lock()
	defer h.mu.Unlock()
	var used []Range
	start := uint64(0)
	for p := uint64(firstBlock); p < h.top; p += h.size(p) {
		if *h.header(p)&flagFree == 0 || h.size(p) < skipFree {
			continue
		}
		// The links at the front and the footer at the end of the block stay.
		from := roundUp(p+blockAlign, PageSize)
		to := roundDown(p+h.size(p)-2*headerSize, PageSize)
		if to < from+skipFree {
			continue
		}
		used = append(used, Range{h.base + Virt(start), from - start})
		start = to
	}
	return append(used, Range{h.base + Virt(start), roundUp(h.top, PageSize) - start})
}

// Extent returns how many bytes from the start of the heap have to be mapped
// for it to work: the pages up to the last one of Used.
func (h *Heap) Extent() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return roundUp(h.top, PageSize)
}

// Check walks the whole heap and verifies everything that the allocator relies
// on. The error is ErrHeapCorrupt and says what is wrong.
func (h *Heap) Check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: heap at %#x: %s", ErrHeapCorrupt, h.base, fmt.Sprintf(format, args...))
	}
	if h.magic != heapMagic {
		return bad("magic is %#x", h.magic)
	}
	if h.mapped > h.capacity || h.top > h.capacity+headerSize || h.top > h.mapped+headerSize || h.top%blockAlign != 0 {
		return bad("top %#x, mapped %#x, capacity %#x", h.top, h.mapped, h.capacity)
	}

	// Every block, in order of address.
	free := map[uint64]uint64{}
	var used, before uint64 // before: size of the block before if that is free
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
