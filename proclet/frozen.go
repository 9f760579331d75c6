package proclet

import (
	"errors"
	"slices"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
)

// frozen is a thread, or a part of one, that is detached: an image in the heap of
// the proclet that its innermost method runs in, so that it moves with that. It
// stays frozen until it can run.
//
// The gate of an open proclet counts frozen threads as inside; that of one that
// leaves does not.
type frozen struct {
	next, prev *frozen
	thread     *Thread // where it belongs
	waiter     *waiter // what it waits for; nil if it can run
	place      int     // in resident.deadlines, if it is there
	started    bool    // what it goes on with in the end is a thread of the proclet's own, see purpose
	len        uint64  // of the image, which follows, or of the room for it
}

// frozenThreads are those of a proclet. The list is in its head, guarded by
// resident.mu.
type frozenThreads struct {
	first *frozen
	n     uint64
}

func (l *frozenThreads) link(z *frozen) {
	z.next, z.prev = l.first, nil
	if l.first != nil {
		l.first.prev = z
	}
	l.first = z
	l.n++
}

func (l *frozenThreads) unlink(z *frozen) {
	if z.prev != nil {
		z.prev.next = z.next
	} else {
		l.first = z.next
	}
	if z.next != nil {
		z.next.prev = z.prev
	}
	l.n--
}

// newFrozen returns a record of t with room for an image of n bytes.
func newFrozen(h *mm.Heap, t *Thread, what rootKind, n uintptr) (*frozen, error) {
	p, err := h.AllocReservedBytes(uint64(unsafe.Sizeof(frozen{}) + n))
	if err != nil {
		return nil, err
	}
	clear(unsafe.Slice((*byte)(p), unsafe.Sizeof(frozen{}))) // see mm.Heap.AllocBytes
	z := (*frozen)(p)
	*z = frozen{thread: t, started: what == rootStarted, len: uint64(n)}
	return z, nil
}

func (z *frozen) image() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(z), unsafe.Sizeof(*z))), z.len)
}

// add adds z, which has its image and waits for w. Called with mu held.
func (r *resident) add(z *frozen, w *waiter) {
	z.waiter = w
	if w != nil {
		w.frozen = z
	}
	r.head.frozen.link(z)
}

// imageOf returns a record with the image of t, whose fiber is detached or held.
func (r *resident) imageOf(t *Thread) (*frozen, error) {
	z, err := newFrozen(r.heap, t, t.root.kind, t.fiber.ImageSize())
	if err != nil {
		return nil, err
	}
	t.fiber.AppendImage(z.image()[:0])
	return z, nil
}

// detached is called on the carrier's stack when t has left it.
func detached(f *fiber.Fiber) {
	t := threadOf(f)
	r := t.runtime().find(t.id)
	t.detach()
	z, err := r.imageOf(t)
	interleave("a thread is detached")
	r.mu.Lock()
	leaving, contended := r.leaving.Load(), t.contended()
	if leaving == nil && !alwaysMoving && !contended || err != nil {
		r.mu.Unlock()
		if err == nil {
			r.heap.Free(unsafe.Pointer(z))
		} else if leaving != nil {
			leaving.refuse(err)
		}
		t.startAgain(r)
		return
	}
	back := leaving == nil || t.root.kind == rootOutside // a round trip, see alwaysMoving
	r.add(z, t.waiting)
	resume := t.vacate(f.Depart)
	if back && !contended {
		r.revive(z)
	}
	r.mu.Unlock()
	if !back {
		r.gate.uncountFrozen(1)
	}
	for _, f := range resume {
		f()
	}
	if back && contended { // after those who have waited for the region
		r.reviveAll()
	}
}

// revive makes a frozen thread run again. Called with mu held.
func (r *resident) revive(z *frozen) {
	r.head.frozen.unlink(z)
	r.deadlines.remove(z)
	if z.waiter != nil {
		z.waiter.frozen = nil
	}
	r.resume(z)
}

// resume lays z down in its region, now or when that is free, and starts it. Another
// part of the same thread may have the region, and wait for this one: it is asked to
// give way, which it does at its next safe point. Called with mu held.
func (r *resident) resume(z *frozen) {
	f, err := fiber.Thaw(z.image())
	if errors.Is(err, fiber.ErrOccupied) {
		attached.mu.Lock()
		if f, err = fiber.Thaw(z.image()); errors.Is(err, fiber.ErrOccupied) {
			if attached.resume == nil {
				attached.resume = map[*Thread][]func(){}
			}
			attached.resume[z.thread] = append(attached.resume[z.thread], func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.resume(z)
			})
			attached.contended.Store(int64(len(attached.resume)))
			if slices.Contains(attached.all, z.thread) { // if not, it notices when it is attached, or is about to vacate
				z.thread.fiber.Kick()
			}
			attached.mu.Unlock()
			return
		}
		attached.mu.Unlock()
	}
	r.heap.Free(unsafe.Pointer(z))
	if err != nil {
		giveUp("a thread is lost", err)
		return
	}
	t := threadOf(f)
	t.rt, t.place = r.rt.index, 0
	t.start(r)
}
