package proclet

import "sync"

// latch is the internal lock of a primitive. It guards the queue of those who wait
// and is held for a few instructions, in which nothing waits and no thread
// is moved; so it is open whenever its proclet moves. In Go terms it is no
// more than a sync.Mutex, whose own waiters know it by its address.
type latch struct{ mu sync.Mutex }

func (l *latch) lock() {
	if simulated != nil {
		simulated.step()
	}
	l.mu.Lock()
}

func (l *latch) unlock() { l.mu.Unlock() }

// simulated, in tests, takes the place of everything that primitives use to
// wait: they go through many interleavings one step at a time, and time passes as
// the test wants. It is nil otherwise.
var simulated simulator

type simulator interface {
	step() // before a latch is locked: others may go first
	newWaiter(t *Thread) *waiter
	freeWaiter(t *Thread, w *waiter)
	block(t *Thread, w *waiter, deadline clock) bool
	wake(w *waiter)
	clock() clock
}

// await is newWaiter for primitives.
func (t *Thread) await() *waiter {
	if simulated != nil {
		return simulated.newWaiter(t)
	}
	return t.newWaiter()
}

// awaited is freeWaiter for primitives.
func (t *Thread) awaited(w *waiter, got bool) {
	if simulated != nil {
		simulated.freeWaiter(t, w)
		return
	}
	t.freeWaiter(w, got)
}

// park is block for primitives.
func (t *Thread) park(w *waiter, deadline clock) bool {
	if simulated != nil {
		return simulated.block(t, w, deadline)
	}
	return t.block(w, deadline)
}

// unpark is wake for primitives.
func unpark(w *waiter) {
	if simulated != nil {
		simulated.wake(w)
		return
	}
	wake(w)
}

// now is clock for primitives.
func (t *Thread) now() clock {
	if simulated != nil {
		return simulated.clock()
	}
	return t.clock()
}
