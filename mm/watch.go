package mm

import "errors"

// A heap that is in use is copied while what is written in it is watched: what has been
// written since it was copied is copied again, until so little is left that the heap can
// stand still for it.
//
// Pages that are watched are protected. The first write to one is a fault that the
// machine resolves at once: it marks the page as written and lets the writer go
// on, who waits for nobody.

// ErrNoWatch means that writes to the heap cannot be watched: the machine does not know how,
// or they are watched already.
var ErrNoWatch = errors.New("mm: writes cannot be watched")

// Watch watches what is written in a heap. Its methods are for one goroutine at a time.
type Watch struct {
	heap *Heap
	used []Range // at the last Changed
	good []Range // has been copied, and was not written since
}

// maxChanged bounds the ranges that Changed returns: at least so many, unchanged pages between
// them are copied again rather than named.
const maxChanged = 1 << 13

// Watch begins to watch what is written in the heap, which then gives no memory back until
// Settle: pages of Changed stay mapped. Errors: ErrNoWatch, and why.
func (h *Heap) Watch() (*Watch, error) {
	if err := watchable(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watched {
		return nil, ErrNoWatch
	}
	h.watched = true
	return &Watch{heap: h}, nil
}

// Changed returns what of the heap is in use, as Used does, and which parts of it have
// changed since they were copied: all of it, the first time. A page
// that is written meanwhile may be among them or not; it is among the next ones.
// It takes time in proportion to the size of the heap, a few nanoseconds for a page.
func (w *Watch) Changed() (used, changed []Range, err error) {
	h := w.heap
	h.mu.Lock()
	h.flush()
	used = h.usedPages()
	mapped := h.mapped()
	h.mu.Unlock() // who allocates need not wait; nothing of mapped is unmapped
	written, err := writtenPages(mapped)
	if err != nil {
		return nil, nil, err
	}
	w.used, w.good = used, without(w.good, written)
	changed = without(used, w.good)
	for gap := uint64(2 * PageSize); ; gap *= 2 {
		if changed = joined(changed, used, gap); len(changed) <= max(maxChanged, len(used)) {
			break
		}
	}
	return used, changed, nil
}

// Copied says that what Changed has returned last has been copied since.
func (w *Watch) Copied() { w.good = w.used }

// Settle lets the heap give memory back again. Nobody reads what Changed has returned any
// more. What is written is watched until End.
func (w *Watch) Settle() { w.heap.settle() }

// End ends the watch of a heap that stays. Destroy ends it as well.
func (w *Watch) End() {
	h := w.heap
	h.mu.Lock()
	h.watched = true // again, if it has settled
	mapped := h.mapped()
	h.mu.Unlock()
	unwatchPages(mapped)
	h.settle()
}

// settle frees what was to be freed while the heap was watched.
func (h *Heap) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.watched {
		return
	}
	h.watched = false
	for r := h.deferred; r != 0; {
		p := r.offset()
		r = *h.nextFree(p)
		h.free(p)
	}
	h.deferred = 0
	h.measure()
	h.giveBack()
}

// deferFree remembers the block p, which is to be freed, if to free it now would unmap
// something of a heap that is watched: a block with a hole would become part of another,
// or end the heap.
func (h *Heap) deferFree(p uint64) bool {
	if !h.watched {
		return false
	}
	next := p + h.size(p)
	hole := next != h.top && *h.header(next)&flagHole != 0 && *h.header(next)&flagFree != 0
	if *h.header(p)&flagPrevFree != 0 {
		hole = hole || *h.header(p - *h.prevSize(p))&flagHole != 0
	}
	if !hole {
		return false
	}
	*h.nextFree(p) = h.deferred
	*h.word(p + 8) = cachedMark ^ p
	h.deferred = refTo(p)
	return true
}

// isDeferred reports whether the block p waits to be freed.
func (h *Heap) isDeferred(p uint64) bool {
	for r := h.deferred; r != 0; r = *h.nextFree(r.offset()) {
		if r.offset() == p {
			return true
		}
	}
	return false
}
