package mm

import (
	"iter"
	"slices"
)

// Which pages of a heap have frames. A heap takes frames as it grows, and gives
// them back when whole runs of pages are free: those behind the last block, and
// those inside large free blocks, which then have a hole. So that memory is not
// taken and given back in turns, nothing is given back until that would be a third
// of what the heap has.
type pages struct {
	end   uint64 // there are no frames from this offset on
	holes uint64 // bytes below end that have no frames
	idle  uint64 // bytes inside free blocks that may lose their frames
}

const (
	heapStep  = 2 << 20   // most that a heap grows by without need
	heapSlack = 64 << 10  // free pages that a heap of any size may keep
	holeLeast = 256 << 10 // length of a free run, in bytes, that may lose its frames
)

// pageRun is a run of pages of a heap, named by their numbers. In a free block
// with flagHole it stands behind the links and says which pages have no frames:
// at least skipFree bytes.
type pageRun struct{ from, to uint32 }

func (r pageRun) bytes() uint64 { return uint64(r.to-r.from) * PageSize }

// inner returns the pages of the free block p that hold nothing of the allocator's:
// those between links and footer.
func inner(p, size uint64) pageRun {
	from := uint32(roundUp(p+freeHeader, PageSize) / PageSize)
	to := uint32(roundDown(p+size-2*headerSize, PageSize) / PageSize)
	return pageRun{from, max(from, to)}
}

func (h *Heap) addresses(r pageRun) Range {
	return Range{h.base + Virt(r.from)*PageSize, r.bytes()}
}

// holeOf returns the pages of the free block p that have no frames.
func (h *Heap) holeOf(p uint64) pageRun {
	if *h.header(p)&flagHole == 0 {
		return pageRun{}
	}
	return *h.holeWord(p)
}

// idleOf returns how many bytes of the free block p may lose their frames.
func (h *Heap) idleOf(p uint64) uint64 {
	size := h.size(p)
	if size < holeLeast {
		return 0
	}
	if n := inner(p, size).bytes(); n >= holeLeast {
		return n - h.holeOf(p).bytes()
	}
	return 0
}

// setHole marks the pages of the free block p that have no frames, and counts
// them, when there was no mark before that is counted.
func (h *Heap) setHole(p uint64, hole pageRun) {
	*h.header(p) &^= flagHole
	if hole.from != hole.to {
		*h.header(p) |= flagHole
		*h.holeWord(p) = hole
		h.holes += hole.bytes()
	}
	h.idle += h.idleOf(p)
}

// step returns how much to map when need bytes are needed and room are free: to
// take frames in few steps, and at most a quarter of what the heap has in vain.
func (h *Heap) step(need, room uint64) uint64 {
	have := h.end - h.holes
	step := min(roundUp(have/4, PageSize), heapStep)
	if have < heapSlack {
		step = min(have, heapSlack-have)
	}
	return min(max(need, step), room)
}

// grow maps more memory, so that the heap, which has less, has at least end bytes.
func (h *Heap) grow(end uint64) error {
	size, err := h.mapFrom(h.end, roundUp(end-h.end, PageSize), h.capacity-h.end)
	h.end += size
	return err
}

// mapFrom maps at least need and at most room bytes from an offset on. It returns
// how many.
func (h *Heap) mapFrom(off, need, room uint64) (uint64, error) {
	size := h.step(need, room)
	err := Map(Range{h.base + Virt(off), size})
	if err != nil && size > need { // the machine is short of memory: take no more than needed
		size = need
		err = Map(Range{h.base + Virt(off), size})
	}
	if err != nil {
		return 0, err
	}
	h.poisonNew(off, off+size)
	return size, nil
}

// fill maps as much of the hole of the block p, which is in no list, as is needed
// to cut it to size n. It returns what is left of the hole.
func (h *Heap) fill(p, n uint64) (pageRun, error) {
	if *h.header(p)&flagHole == 0 {
		return pageRun{}, nil
	}
	hole := h.holeOf(p)
	need := h.size(p)
	if need-n >= minBlock {
		need = n + freeHeader // the rest is a block, too
	}
	first := uint32(roundUp(p+need, PageSize) / PageSize)
	if first <= hole.from {
		return hole, nil
	}
	wanted := (pageRun{hole.from, min(first, hole.to)}).bytes()
	size, err := h.mapFrom(uint64(hole.from)*PageSize, wanted, hole.bytes())
	if err == nil && size < hole.bytes() && hole.bytes()-size < skipFree { // too short for a hole
		more := hole.bytes() - size
		if err = Map(Range{h.base + Virt(hole.from)*PageSize + Virt(size), more}); err != nil {
			mustUnmap(Range{h.base + Virt(hole.from)*PageSize, size})
		} else {
			h.poisonNew(uint64(hole.from)*PageSize+size, uint64(hole.to)*PageSize)
			size += more
		}
	}
	if err != nil {
		return hole, err
	}
	hole.from += uint32(size / PageSize)
	return hole, nil
}

// most is how much of what has frames may be free without being given back.
func (h *Heap) most() uint64 { return max(heapSlack, (h.end-h.holes)/3) }

// measure looks whether more of the heap is free than may be, fragments that cannot
// be given back included, which is why this differs from giveBack. Then the caches
// are emptied and stay so: they may be what makes fragments of it.
func (h *Heap) measure() {
	sparse := h.end-h.holes-h.used > h.most()
	if sparse == h.sparse.Load() {
		return
	}
	h.sparse.Store(sparse)
	if sparse {
		h.flush()
	}
}

// giveBack unmaps what is free if that is much.
func (h *Heap) giveBack() {
	if h.watched || h.idle+h.end-roundUp(h.top, PageSize) <= h.most() {
		return
	}
	h.flush()
	tail := h.end - roundUp(h.top, PageSize)
	if tail > 0 && h.unmap(pageRun{uint32((h.end - tail) / PageSize), uint32(h.end / PageSize)}) {
		h.end -= tail
	}
	for p := range h.largeFree(holeLeast) {
		all, hole := inner(p, h.size(p)), h.holeOf(p)
		if all.bytes() < holeLeast || all == hole {
			continue
		}
		h.idle -= h.idleOf(p)
		h.holes -= hole.bytes()
		if hole == (pageRun{}) {
			hole = pageRun{all.from, all.from}
		}
		if h.unmap(pageRun{all.from, hole.from}) {
			hole.from = all.from
		}
		if h.unmap(pageRun{hole.to, all.to}) {
			hole.to = all.to
		}
		h.setHole(p, hole)
	}
}

// unmap reports whether it could give back the frames of r. On a machine without
// a free frame it may be that a large page cannot be divided.
func (h *Heap) unmap(r pageRun) bool {
	return r.from == r.to || Unmap(h.addresses(r)) == nil
}

// largeFree iterates over the free blocks of at least size bytes and some that are
// a little smaller. The one at hand may be changed, but not its size.
func (h *Heap) largeFree(size uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		first, _ := listOf(size)
		for i := first; i < classes; i++ {
			if h.second[i] == 0 {
				continue
			}
			for _, r := range h.lists[i] {
				for ; r != 0; r = *h.nextFree(r.offset()) {
					if !yield(r.offset()) {
						return
					}
				}
			}
		}
	}
}

// mapped returns the ranges that have frames.
func (h *Heap) mapped() (mapped []Range) {
	var holes []pageRun
	for p := range h.largeFree(skipFree) {
		if hole := h.holeOf(p); hole.from != hole.to {
			holes = append(holes, hole)
		}
	}
	slices.SortFunc(holes, func(a, b pageRun) int { return int(a.from) - int(b.from) })
	next := uint32(0)
	for _, hole := range append(holes, pageRun{from: uint32(h.end / PageSize)}) {
		mapped = append(mapped, h.addresses(pageRun{next, hole.from}))
		next = hole.to
	}
	return mapped
}
