package proclet

import (
	"math"
	"sync/atomic"
	"time"
)

// WaitGroup counts what threads of a proclet have still to do, and lets others wait
// until that is nothing. The zero value counts 0. It must not be copied after its
// first use.
type WaitGroup struct {
	word  atomic.Int64
	latch latch // guards the queue
	queue waitQueue
}

// The word of a WaitGroup is the count times waitGroupOne, and waitGroupWaiting,
// with which it changes only with the latch held.
const (
	waitGroupWaiting = 1 << iota // the queue is not empty
	waitGroupOne
)

// Add adds delta, which may be negative, to the count. When that is 0, those who
// wait go on. It panics, and changes nothing, if the count would become negative or
// more than a 32-bit number.
func (g *WaitGroup) Add(t *Thread, delta int) {
	for {
		v := g.word.Load()
		next := g.plus(v, delta)
		if v&waitGroupWaiting != 0 {
			break
		}
		if g.word.CompareAndSwap(v, next) {
			return
		}
	}
	g.latch.lock()
	defer g.latch.unlock()
	g.word.Or(waitGroupWaiting) // they may have given up; from here on nobody else changes it
	defer g.settle()
	g.word.Store(g.plus(g.word.Load(), delta))
}

// plus is the word v with delta added to the count.
func (g *WaitGroup) plus(v int64, delta int) int64 {
	count := v / waitGroupOne
	if sum := count + int64(delta); sum < 0 || sum > math.MaxInt32 {
		panic("proclet: WaitGroup counts to below 0 or beyond 1<<31-1")
	}
	return v + int64(delta)*waitGroupOne
}

// Done takes 1 off the count.
func (g *WaitGroup) Done(t *Thread) { g.Add(t, -1) }

// Wait waits until the count is 0. It panics with ErrHeapFull if it has to wait
// and the heap has no room for that.
func (g *WaitGroup) Wait(t *Thread) {
	if g.word.Load() != 0 {
		g.wait(t, never)
	}
}

// WaitFor is Wait, but gives up after d. It reports whether the count was 0.
func (g *WaitGroup) WaitFor(t *Thread, d time.Duration) bool {
	return g.word.Load() == 0 || g.wait(t, t.after(d))
}

func (g *WaitGroup) wait(t *Thread, deadline clock) bool {
	w := t.await()
	g.latch.lock()
	g.queue.push(w)
	g.word.Or(waitGroupWaiting)
	g.settle() // it may be 0 by now
	g.latch.unlock()
	zero := t.park(w, deadline)
	if !zero {
		g.latch.lock()
		zero = !w.queued
		if !zero {
			g.queue.remove(w)
			g.settle()
		}
		g.latch.unlock()
	}
	t.awaited(w, zero)
	return zero
}

// settle lets those who wait go on if the count is 0. Called with the latch held.
func (g *WaitGroup) settle() {
	if g.word.Load()/waitGroupOne == 0 {
		g.queue.releaseAll()
	}
	if g.queue.empty() {
		g.word.And(^waitGroupWaiting)
	}
}
