package mm

import (
	"fmt"
	"slices"
	"sync"
)

// How a heap moves: the ranges of Used are mapped and copied to the same addresses
// of another machine, where the heap is adopted. Free memory is neither copied
// nor, in long runs, mapped.

// skipFree is the least number of bytes inside a free block that are worth a
// gap between two used ranges.
const skipFree = 4 * PageSize

// Used returns the pages whose contents matter, as few ranges in ascending
// order: what has never been used and long free runs are left out. The first
// range starts at the start of the heap. It takes time in proportion to the
// number of long free runs.
func (h *Heap) Used() []Range {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flush()
	return h.usedPages()
}

func (h *Heap) usedPages() (used []Range) {
	var gaps []pageRun
	for p := range h.largeFree(skipFree) {
		if gap := inner(p, h.size(p)); gap.bytes() >= skipFree {
			gaps = append(gaps, gap)
		}
	}
	slices.SortFunc(gaps, func(a, b pageRun) int { return int(a.from) - int(b.from) })
	next := uint32(0)
	for _, gap := range append(gaps, pageRun{from: uint32(roundUp(h.top, PageSize) / PageSize)}) {
		used = append(used, h.addresses(pageRun{next, gap.from}))
		next = gap.to
	}
	return used
}

// Extent returns how many bytes from the start of the heap it extends over: up
// to the last page of Used.
func (h *Heap) Extent() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flush()
	return roundUp(h.top, PageSize)
}

// arriving returns the ranges to map for a heap whose Used are these: short gaps
// are mapped as well.
func arriving(used []Range) (mapped []Range) {
	for _, u := range used {
		if n := len(mapped); n > 0 && uint64(u.Base-mapped[n-1].End()) < holeLeast {
			mapped[n-1].Size = uint64(u.End() - mapped[n-1].Base)
		} else {
			mapped = append(mapped, u)
		}
	}
	return mapped
}

// PrepareHeap maps memory in r, where a heap is to arrive whose Used are these. On
// any error nothing is mapped. What is in the memory until the bytes have come is
// anything, and so is what is in short gaps between them afterwards, which are free.
func PrepareHeap(r Range, used []Range) error {
	if err := checkUsed(r, used); err != nil {
		return err
	}
	return mapArriving(arriving(used))
}

// ReshapeHeap makes of what PrepareHeap has mapped what it would map for other ranges,
// since the heap goes on being used before it leaves. What is in both stays as it is.
// On any error nothing is mapped any more.
func ReshapeHeap(r Range, from, to []Range) error {
	err := checkUsed(r, to)
	had := arriving(from)
	if err == nil {
		wanted := arriving(to)
		for _, m := range without(had, wanted) {
			if err = Unmap(m); err != nil { // a large page could not be divided
				break
			}
			had = without(had, []Range{m})
		}
		if err == nil {
			if err = mapArriving(without(wanted, had)); err == nil {
				return nil
			}
		}
	}
	for _, m := range had {
		mustUnmap(m)
	}
	return err
}

// checkUsed says what is wrong with ranges that are to be Used of a heap in r.
func checkUsed(r Range, used []Range) error {
	if err := checkHeapRange(r); err != nil {
		return err
	}
	next := r.Base
	for i, u := range used {
		if !u.pageAligned() || !r.covers(u) || u.Base < next || i == 0 && u.Base != r.Base {
			return fmt.Errorf("%w: %#x used of %#x", ErrHeapRange, u, r)
		}
		next = u.End()
	}
	if len(used) == 0 {
		return fmt.Errorf("%w: nothing used of %#x", ErrHeapRange, r)
	}
	return nil
}

// mapArriving maps all of these ranges or none.
func mapArriving(mapped []Range) error {
	for i, m := range mapped {
		if err := mapAny(m, false); err != nil {
			for _, m := range mapped[:i] {
				mustUnmap(m)
			}
			return err
		}
	}
	return nil
}

// AdoptHeap takes over the heap whose bytes have been copied to r, which
// PrepareHeap has mapped. If the bytes are not those of the heap expected the
// error is ErrHeapCorrupt and r stays mapped. It may be called again, as long as
// the heap is not used.
func AdoptHeap(r Range, used []Range, generation, build uint64) (*Heap, error) {
	h := heapAt(r.Base)
	end := uint64(used[len(used)-1].End() - r.Base)
	switch {
	case h.magic != heapMagic:
		return nil, fmt.Errorf("%w: no heap at %#x", ErrHeapCorrupt, r.Base)
	case h.base != r.Base || h.capacity != r.Size || h.generation != generation:
		return nil, fmt.Errorf("%w: generation %d of %d bytes at %#x arrived as generation %d of %d bytes at %#x",
			ErrHeapCorrupt, h.generation, h.capacity, h.base, generation, r.Size, r.Base)
	case h.build != build:
		return nil, fmt.Errorf("%w: made by build %x, this is build %x", ErrHeapCorrupt, h.build, build)
	case h.top < firstBlock || roundUp(h.top, PageSize) != end || h.limit != blockLimit(r.Size):
		return nil, fmt.Errorf("%w: allocated up to %#x of %#x mapped", ErrHeapCorrupt, h.top, end)
	}
	if !slices.Equal(h.usedPages(), used) {
		return nil, fmt.Errorf("%w: its free blocks are not where %#x says", ErrHeapCorrupt, used)
	}
	h.mu = sync.Mutex{}
	h.watched, h.deferred = false, 0
	clear(h.caches[:]) // Used left nothing there
	h.sparse.Store(false)
	h.pages = pages{end: end}
	for p := range h.largeFree(skipFree) {
		gap := inner(p, h.size(p))
		if gap.bytes() < holeLeast {
			h.poisonNew(uint64(gap.from)*PageSize, uint64(gap.to)*PageSize) // mapped, but not copied
			gap = pageRun{}
		}
		h.setHole(p, gap)
	}
	h.measure()
	return h, nil
}

// DiscardHeap undoes PrepareHeap.
func DiscardHeap(r Range, used []Range) {
	for _, m := range arriving(used) {
		mustUnmap(m)
	}
}
