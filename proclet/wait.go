package proclet

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"nuos/mm"
)

// waiter is a thread that waits, as the primitive sees it that the thread waits
// for. It lies in the heap of the proclet in which the thread waits.
//
// Its primitive links it into a [waitQueue] and guards it with its latch: the one
// who lets the thread go on takes the waiter out of the queue and wakes it, both
// with the latch held. So a thread whose time is up, and that takes the latch, finds
// out whether it has got what it waited for after all, and nobody else is going to
// touch the waiter.
type waiter struct {
	next, prev *waiter // in the queue
	queued     bool
	ended      bool  // block has returned because the thread is to end
	n          int64 // what it waits for, or what it got, in the primitive's terms

	home     uint64 // address of the proclet
	thread   *Thread
	woken    atomic.Bool
	deadline clock
	frozen   *frozen // the thread, if it is detached; guarded by resident.mu
}

// newWaiter returns a waiter for t, which freeWaiter gives back. It panics with
// ErrHeapFull if the heap has no room for it. It is not called with a latch
// held.
func (t *Thread) newWaiter() *waiter {
	if t.depth == 0 {
		panic("proclet: waiting outside a method of a proclet")
	}
	p, err := t.heap.AllocReserved(uint64(unsafe.Sizeof(waiter{})))
	if err != nil {
		panic(mm.ErrHeapFull)
	}
	w := (*waiter)(p)
	*w = waiter{}
	w.init(t, t.id)
	return w
}

func (w *waiter) init(t *Thread, home ID) { w.thread, w.home, w.deadline = t, home.Addr, never }

// freeWaiter gives w back, which is in no queue. got says whether t has got what it
// waited for. A thread that has not, because it is to end, does so now. One that has
// ends at its next safe point: what it got may be a lock.
func (t *Thread) freeWaiter(w *waiter, got bool) {
	ended := w.ended
	t.heap.Free(unsafe.Pointer(w))
	switch {
	case ended && got:
		t.ending = false
		t.fiber.Kick()
	case ended:
		runtime.Goexit()
	}
}

// block returns true when w has been woken, at once if it was before, and false
// when the deadline has passed, or the thread is to end with its proclet: then the
// caller takes w out of its queue and calls freeWaiter, which ends the thread. Each wake
// ends one block. The caller holds no latch.
//
// It is a safe point: the thread may go on on another machine.
func (t *Thread) block(w *waiter, deadline clock) bool {
	w.deadline = deadline
	for left := !alwaysMoving; ; {
		if w.woken.CompareAndSwap(true, false) {
			return true
		}
		if deadline != never && t.clock() >= deadline {
			return false
		}
		if t.mustEnd() {
			t.ending, w.ended = true, true
			return false
		}
		if t.fiber.Kicked() || !left {
			left = true
			t.safePoint(w)
			continue
		}
		interleave("a thread parks")
		t.waiting = w
		if t.measured != 0 {
			t.measure()
		}
		if deadline == never {
			t.fiber.Park()
		} else {
			t.parkUntil(deadline)
		}
		t.beginSlice()
	}
}

// parkUntil parks t, not much longer than until the deadline.
func (t *Thread) parkUntil(deadline clock) {
	t.startTimer(time.Duration(deadline - t.clock()))
	t.fiber.Park()
	t.stopTimer() // if it has moved, that of another carrier
}

func (t *Thread) startTimer(d time.Duration) {
	if l := t.local(); l.timer == nil {
		l.timer = time.AfterFunc(d, t.unparkHere)
	} else {
		l.timer.Reset(d)
	}
}

func (t *Thread) stopTimer() {
	if l, _ := t.fiber.Local().Value.(*local); l != nil && l.timer != nil {
		l.timer.Stop()
	}
}

// unparkHere ends t's sleep if t is here. It may come late: then it ends that of
// whoever is in t's region, who goes on sleeping.
func (t *Thread) unparkHere() {
	attached.mu.Lock()
	defer attached.mu.Unlock()
	if t.place != 0 {
		t.fiber.Unpark()
	}
}

// wake ends w's block, or its next one. It does not wait. The caller is inside
// w's proclet.
func wake(w *waiter) { residentSlot(w.home, false).Load().wakeUp(w) }

func (r *resident) wakeUp(w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake(w)
}

// wake is like the function wake. Called with mu held.
func (r *resident) wake(w *waiter) {
	w.woken.Store(true)
	switch {
	case w.frozen == nil:
		w.thread.fiber.Unpark()
	case r.leaving.Load() == nil:
		r.revive(w.frozen)
	}
}
