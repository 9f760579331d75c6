//go:build metal

package kernel

import (
	"sync/atomic"

	"nuos/kernel/internal/sched"
)

// timerHeap is a binary heap of threads by the end of their waits, one for each
// processor, so that a deadline interrupts only the processor that it was set
// on. It alone takes out those whose time has come; others only those whose wait they
// have ended. Index 0 is not used: thread.heapAt of 0 means "in no heap".
type timerHeap struct {
	earliest atomic.Int64 // deadline of the first, 0 if there is none

	lock sched.Lock
	n    int32
	tids uintptr // *[maxThreads]int32, allocated with the processor
}

func (h *timerHeap) slot(i int32) *int32 { return (*int32)(pointer(h.tids + uintptr(i)*4)) }

func (h *timerHeap) at(i int32) *thread { return (*thread)(pointer(threads[*h.slot(i)])) }

func (h *timerHeap) set(i int32, t *thread) {
	*h.slot(i) = t.tid
	t.heapAt = i
}

// first returns the earliest deadline, or forever. It may be over already when
// another processor ends that wait.
func (h *timerHeap) first() int64 {
	if at := h.earliest.Load(); at != 0 {
		return at
	}
	return forever
}

func (h *timerHeap) settle() {
	at := int64(0)
	if h.n > 0 {
		at = h.at(1).deadline
	}
	h.earliest.Store(at)
}

func (h *timerHeap) push(cpu int32, t *thread) {
	h.lock.Lock()
	h.n++
	t.heapCPU = cpu
	h.up(h.n, t)
	h.settle()
	h.lock.Unlock()
}

// remove takes a thread out of the heap, if it is there.
func (h *timerHeap) remove(t *thread) {
	h.lock.Lock()
	h.cut(t)
	h.lock.Unlock()
}

// expired claims a thread whose deadline has passed, nil if there is none. It does
// so with the lock held, without which nobody makes the thread ready, so that the
// claim is for the wait that the deadline belongs to.
func (h *timerHeap) expired(now int64) *thread {
	if h.first() > now {
		return nil
	}
	h.lock.Lock()
	for h.n > 0 && h.at(1).deadline <= now {
		t := h.at(1)
		h.cut(t)
		if t.task.Claim() {
			h.lock.Unlock()
			return t
		}
	}
	h.lock.Unlock()
	return nil
}

func (h *timerHeap) cut(t *thread) {
	i := t.heapAt
	if i == 0 {
		return
	}
	t.heapAt = 0
	last := h.at(h.n)
	h.n--
	switch {
	case last == t:
	case i > 1 && last.deadline < h.at(i/2).deadline:
		h.up(i, last)
	default:
		h.down(i, last)
	}
	h.settle()
}

func (h *timerHeap) up(i int32, t *thread) {
	for i > 1 && t.deadline < h.at(i/2).deadline {
		h.set(i, h.at(i/2))
		i /= 2
	}
	h.set(i, t)
}

func (h *timerHeap) down(i int32, t *thread) {
	for 2*i <= h.n {
		child := 2 * i
		if child < h.n && h.at(child+1).deadline < h.at(child).deadline {
			child++
		}
		if t.deadline <= h.at(child).deadline {
			break
		}
		h.set(i, h.at(child))
		i = child
	}
	h.set(i, t)
}

// nextTimer is the moment for which the processor's timer is needed.
func (c *cpu) nextTimer() int64 {
	next := c.sleepers.first()
	if at := c.timerAt.Load(); at != 0 {
		next = min(next, at)
	}
	if at := steadyClock.checkAt; at != 0 && c.id == 0 {
		next = min(next, at)
	}
	if at := lookAt.Load(); at != 0 && c.id == 0 {
		next = min(next, at)
	}
	return next
}

// runTimers ends the waits whose deadline has passed.
// Precondition: no lock is held.
func (c *cpu) runTimers(now int64) {
	for t := c.sleepers.expired(now); t != nil; t = c.sleepers.expired(now) {
		endWait(t, false)
	}
	if at := steadyClock.checkAt; at != 0 && c.id == 0 && at <= now {
		c.checkClock(now)
	}
	if at := lookAt.Load(); at != 0 && c.id == 0 && at <= now {
		lookAt.Store(now + lookEvery)
		lock()
		signalWatched()
		unlock()
	}
	if at := c.timerAt.Load(); at != 0 && at <= now {
		lock()
		c.runSetTimers(now)
		unlock()
	}
}

// arm makes the processor's timer interrupt at the next deadline or at the end
// of the slice of t, the thread that runs next, nil if none does. A timer that is set for an earlier moment is
// left alone: one interrupt too many costs less than setting it every time.
func (c *cpu) arm(t *thread) {
	want := c.nextTimer()
	if t != nil {
		want = min(want, c.sliceEnd, profileEnd(t, c.since))
	}
	if want == forever || c.armed != 0 && c.armed <= want {
		return
	}
	c.armed = want
	setTimer(want)
}
