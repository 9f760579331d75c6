package proclet

import (
	"sync/atomic"
	"time"
)

// Cond lets threads of a proclet wait until some condition on its state holds.
// The zero value is ready. It must not be copied after its first use.
//
// Unlike a sync.Cond it does not know its lock: Wait is told, and all who wait at
// the same time must say the same. As with that, Wait belongs into a loop:
//
//	for s.queue.Len() == 0 {
//		s.filled.Wait(t, &s.mu)
//	}
type Cond struct {
	waiting atomic.Bool // the queue is not empty; changes with the latch held
	latch   latch       // guards the queue
	queue   waitQueue
}

// Wait unlocks m, waits for Signal or Broadcast, and locks m again before it
// returns. It panics with ErrHeapFull, and m is locked as before, if the heap has
// no room for waiting.
//
// A thread that ends while it waits, because its proclet does, has m locked again when
// its deferred functions run.
func (c *Cond) Wait(t *Thread, m *Mutex) { c.wait(t, m, never) }

// WaitFor is Wait, but for d at the longest. It reports whether it was ended by
// Signal or Broadcast.
func (c *Cond) WaitFor(t *Thread, m *Mutex, d time.Duration) bool {
	return c.wait(t, m, t.after(d))
}

func (c *Cond) wait(t *Thread, m *Mutex, deadline clock) bool {
	w := t.await()
	c.latch.lock()
	c.queue.push(w)
	c.waiting.Store(true)
	c.latch.unlock()
	if !m.unlock() {
		c.cancel(w)
		t.awaited(w, true)
		panic("proclet: Cond.Wait with an unlocked Mutex")
	}
	signalled := t.park(w, deadline)
	if !signalled && !c.cancel(w) {
		signalled = t.park(w, never) // the signal has come, and its wake with it
	}
	m.wait(t, w, never) // with the same waiter, so that it cannot fail
	t.awaited(w, signalled)
	return signalled
}

// cancel takes w out of the queue, and reports whether it was there still.
func (c *Cond) cancel(w *waiter) bool {
	c.latch.lock()
	defer c.latch.unlock()
	if !w.queued {
		return false
	}
	c.queue.remove(w)
	c.waiting.Store(!c.queue.empty())
	return true
}

// Signal wakes the thread that has waited longest, if one waits. The caller may
// hold the lock, but need not.
func (c *Cond) Signal(t *Thread) {
	if !c.waiting.Load() {
		return
	}
	c.latch.lock()
	defer c.latch.unlock()
	if !c.queue.empty() {
		c.queue.release()
		c.waiting.Store(!c.queue.empty())
	}
}

// Broadcast wakes all threads that wait. The caller may hold the lock, but need
// not.
func (c *Cond) Broadcast(t *Thread) {
	if !c.waiting.Load() {
		return
	}
	c.latch.lock()
	defer c.latch.unlock()
	c.queue.releaseAll()
	c.waiting.Store(false)
}
