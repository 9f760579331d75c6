//go:build !metal

package mm

import (
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

// Linux lets a process have some 65,000 mappings, and a machine may have more
// proclets. So small pieces of heaps share mappings: heap addresses are divided
// into windows of 1 GiB, and a window in which a small piece is mapped is shown whole,
// by one mapping, from a stretch of the file that is as long and otherwise empty,
// behind the machine's memory. A small piece lies in it at its natural place: mapping it takes frames from the
// books, not from the frame allocator's lists, and no mapping. When it is unmapped the
// pages are cut out of the file. Longer pieces are mapped to frames over the
// window, because Linux takes longer to add pages to a file than to clear those
// that are there.
//
// Without a free stretch, which takes heaps in a thousand windows, small pieces
// are treated like others.
const (
	windowSize  = 1 << 30
	windowCount = 1 << 10  // that can be open at once
	smallPiece  = 16 << 10 // longest piece that is put in a window
)

// windows are the open windows.
type windows struct {
	open  map[uint64]*window // by address / windowSize
	fresh uint64             // stretches that were never used
	free  []uint64           // stretches that are not used any more
}

type window struct {
	stretch uint64
	pages   uint64 // mapped in it, of all pieces
}

// fileSize is the size of the file: the memory and the stretches for windows.
func (h *hosted) fileSize() uint64 { return roundUp(h.size, windowSize) + windowCount*windowSize }

// windowRange returns the addresses of window i.
func windowRange(i uint64) Range { return Range{Virt(i * windowSize), windowSize} }

// smallPlace returns where in the file a small piece at v is, or 0 if v is in no
// open window.
func (h *hosted) smallPlace(v Virt) Phys {
	w := h.windows.open[uint64(v)/windowSize]
	if w == nil {
		return 0
	}
	return Phys(roundUp(h.size, windowSize) + w.stretch*windowSize + uint64(v)%windowSize)
}

// each calls f for the parts of r in the windows it touches.
func each(r Range, f func(i uint64, part Range)) {
	for v := r.Base; v < r.End(); {
		i := uint64(v) / windowSize
		end := min(windowRange(i).End(), r.End())
		f(i, Range{v, uint64(end - v)})
		v = end
	}
}

// openWindows opens the windows that r touches, if there are stretches for them. What is
// mapped there already stays in front of them.
func (h *hosted) openWindows(r Range) {
	each(r, func(i uint64, _ Range) {
		if w := &h.windows; w.open[i] == nil && (len(w.free) > 0 || w.fresh < windowCount) && h.pieces < maxPieces {
			h.openWindow(i)
		}
	})
}

// openWindow opens window i, unless Linux has no room for the mappings.
func (h *hosted) openWindow(i uint64) {
	w := &h.windows
	n := len(w.free)
	stretch := w.fresh
	if n > 0 {
		stretch = w.free[n-1]
	}
	if w.open == nil {
		w.open = map[uint64]*window{}
	}
	before := h.countPieces(windowRange(i))
	w.open[i] = &window{stretch: stretch, pages: h.mappedPages(windowRange(i))}
	added := h.countPieces(windowRange(i)) - before
	var shown []Range
	for gap := range h.gaps(windowRange(i)) {
		if h.pieces+added > maxPieces || h.show(gap, h.smallPlace(gap.Base), unix.MAP_FIXED_NOREPLACE|unix.MAP_NORESERVE) != nil {
			for _, gap := range shown {
				hide(gap)
			}
			delete(w.open, i)
			return
		}
		shown = append(shown, gap)
	}
	h.pieces += added
	if n > 0 {
		w.free = w.free[:n-1]
	} else {
		w.fresh++
	}
}

// gaps iterates over what is not mapped in r.
func (h *hosted) gaps(r Range) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		var gap Range
		for v := r.Base; v < r.End(); {
			e, _, size := h.tables.stretch(v, uint64(r.End()-v))
			size = min(size, uint64(r.End()-v))
			switch {
			case e == 0 && gap.Size == 0:
				gap = Range{v, size}
			case e == 0:
				gap.Size += size
			case gap.Size > 0:
				if !yield(gap) {
					return
				}
				gap = Range{}
			}
			v += Virt(size)
		}
		if gap.Size > 0 {
			yield(gap)
		}
	}
}

// mappedPages returns how many pages are mapped in r.
func (h *hosted) mappedPages(r Range) uint64 {
	free := uint64(0)
	for gap := range h.gaps(r) {
		free += gap.Size
	}
	return (r.Size - free) / PageSize
}

// closeWindows closes the windows that r touches and nothing is mapped in.
func (h *hosted) closeWindows(r Range) {
	each(r, func(i uint64, _ Range) {
		w := h.windows.open[i]
		if w == nil || w.pages != 0 || hide(windowRange(i)) != nil {
			return
		}
		before := h.countPieces(windowRange(i))
		delete(h.windows.open, i)
		h.pieces += h.countPieces(windowRange(i)) - before
		h.windows.free = append(h.windows.free, w.stretch)
	})
}

// countWindows adds the pages of r to the windows' counts, or takes them away.
func (h *hosted) countWindows(r Range, sign int) {
	each(r, func(i uint64, part Range) {
		if w := h.windows.open[i]; w != nil {
			w.pages += uint64(sign) * (part.Size / PageSize)
		}
	})
}

// mapSmall maps r in its window, and reports whether that is where it belongs.
func (h *hosted) mapSmall(r Range) (small bool, err error) {
	p := h.smallPlace(r.Base)
	if r.Size > smallPiece || p == 0 || uint64(r.Base)%windowSize+r.Size > windowSize {
		return false, nil
	}
	if !h.tables.frames.reserve(r.Size/PageSize, Heaps) {
		return true, ErrNoMemory
	}
	if !h.tables.mapRange(r, p, (ProtRead | ProtWrite).entry(), 0) {
		h.tables.frames.unreserve(r.Size/PageSize, Heaps)
		return true, ErrNoMemory
	}
	h.countWindows(r, 1)
	// An older Linux does not know how, and adds the pages when they are touched.
	if err := unix.Madvise(bytesAt(r.Base, r.Size), unix.MADV_POPULATE_WRITE); err != nil && !errors.Is(err, unix.EINVAL) {
		h.punch(r)
		h.tables.unmapRange(r)
		h.tables.frames.unreserve(r.Size/PageSize, Heaps)
		h.countWindows(r, -1)
		return true, fmt.Errorf("%w: Linux: %w", ErrNoMemory, err)
	}
	return true, nil
}

// countSmall returns how many pages of r are small pieces'.
func (h *hosted) countSmall(r Range) (pages uint64) {
	for v := r.Base; v < r.End(); {
		e, p, size := h.tables.stretch(v, uint64(r.End()-v))
		if e != 0 && uint64(p) >= h.size {
			pages += min(size, uint64(r.End()-v)) / PageSize
		}
		v += Virt(size)
	}
	return pages
}

// punch gives the pages of small pieces in r back to Linux. They read as zeros
// afterwards. If Linux cannot, they are cleared.
func (h *hosted) punch(r Range) {
	each(r, func(_ uint64, part Range) {
		p := h.smallPlace(part.Base)
		if p == 0 {
			return
		}
		const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
		if unix.Fallocate(h.fd, mode, int64(p), int64(part.Size)) != nil {
			clear(bytesAt(Direct(p), part.Size))
		}
	})
}

// reserve books n free frames to the owner without saying which: so many fewer can
// be allocated.
func (f *frames) reserve(n uint64, owner Owner) bool {
	interrupts := f.mu.lock()
	enough := f.ledger.count[Free].Load() >= n
	if enough {
		f.ledger.move(Free, owner, n)
	}
	f.mu.unlock(interrupts)
	return enough
}

// unreserve undoes reserve.
func (f *frames) unreserve(n uint64, owner Owner) {
	interrupts := f.mu.lock()
	f.ledger.move(owner, Free, n)
	f.mu.unlock(interrupts)
}
