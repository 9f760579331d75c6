package proclet

import (
	"unsafe"

	"nuos/proclet/internal/fiber"
)

// Most threads sleep when their proclet leaves. Those whose only method is one of this
// proclet are frozen in their sleep, by the one who closes the gate: to wake each
// of them, so that it leaves, takes several times as long. Their carriers stay on their
// stacks, where they sleep on should the proclet stay.

// freezeInside has the threads inside r leave: it freezes those that sleep, and kicks
// the others.
func (r *resident) freezeInside(l *leaving) {
	var asleep []*Thread
	eachInside(r.id.Addr, func(t *Thread) {
		if t.fiber.Hold() {
			asleep = append(asleep, t)
		} else {
			t.fiber.Kick()
		}
	})
	left := uint64(0)
	for _, t := range asleep {
		if t.depth > 1 || t.guards > 0 { // it sees to it itself
			t.fiber.Kick()
			t.fiber.LetGo()
		} else if err := r.freezeAsleep(t); err != nil {
			t.fiber.LetGo()
			l.refuse(err)
		} else {
			left++
		}
	}
	r.gate.uncountFrozen(left)
}

// freezeAsleep freezes t, which is held.
func (r *resident) freezeAsleep(t *Thread) error {
	if err := t.fiber.MayLeave(); err != nil {
		return err
	}
	if t.root.kind == rootOutside {
		if err := t.becomeCall(r.id); err != nil {
			return err
		}
	}
	z, err := r.imageOf(t)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(z, t.waiting)
	r.asleep = append(r.asleep, t)
	return nil
}

// sleepOn undoes freezeAsleep, for all threads. Called with mu held.
func (r *resident) sleepOn() {
	for _, t := range r.asleep {
		w := t.waiting
		z := w.frozen
		w.frozen = nil
		r.head.frozen.unlink(z)
		r.heap.Free(unsafe.Pointer(z))
		if w.woken.Load() { // while it was frozen
			t.fiber.Unpark()
		}
		t.fiber.LetGo()
	}
	r.asleep = nil
}

// abandonAsleep has the carriers of the threads that were frozen in their sleep go. The
// proclet lives elsewhere.
func (r *resident) abandonAsleep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.asleep {
		t.stopTimer()
		t.fiber.Abandon()
	}
	r.asleep = nil
}

// abandoned is called on the carrier's stack when t has been abandoned.
func abandoned(f *fiber.Fiber) {
	t := threadOf(f)
	t.detach()
	for _, resume := range t.vacate(f.Depart) {
		resume()
	}
}
