package proclet

import (
	"runtime"
	"testing"
	"time"
)

// Background runs a function that a test has prepared, on a thread of the proclet's own.
func (s *playground) Background(t *Thread, script int64) { s.Play(t, script) }

// background has f run by Background.
func (s *playground) background(t *Thread, f func(t *Thread, s *playground)) Handle {
	h, err := Start(t, (*playground).Background, prepared(f))
	if err != nil {
		panic(err)
	}
	return h
}

// waits are the ways to wait in a queue of a proclet.
var waits = []struct {
	name    string
	prepare func(*Thread, *playground) // so that one has to wait
	wait    func(*Thread, *playground)
	give    func(*Thread, *playground) // what is waited for, to one thread or nobody
	free    func(*Thread, *playground) bool
	queue   func(*playground) (*latch, *waitQueue)
}{{
	"Mutex",
	func(t *Thread, s *playground) { s.mu.Lock(t) },
	func(t *Thread, s *playground) { s.mu.Lock(t) },
	func(t *Thread, s *playground) { s.mu.Unlock(t) },
	func(t *Thread, s *playground) bool { return s.mu.TryLock(t) },
	func(s *playground) (*latch, *waitQueue) { return &s.mu.latch, &s.mu.queue },
}, {
	"RWMutex for writing",
	func(t *Thread, s *playground) { s.rw.RLock(t) },
	func(t *Thread, s *playground) { s.rw.Lock(t) },
	func(t *Thread, s *playground) { s.rw.RUnlock(t) },
	func(t *Thread, s *playground) bool { return s.rw.TryLock(t) },
	func(s *playground) (*latch, *waitQueue) { return &s.rw.latch, &s.rw.writers },
}, {
	"RWMutex for reading",
	func(t *Thread, s *playground) { s.rw.Lock(t) },
	func(t *Thread, s *playground) { s.rw.RLock(t) },
	func(t *Thread, s *playground) { s.rw.Unlock(t) },
	func(t *Thread, s *playground) bool { return s.rw.TryLock(t) },
	func(s *playground) (*latch, *waitQueue) { return &s.rw.latch, &s.rw.readers },
}, {
	"Semaphore",
	func(t *Thread, s *playground) {},
	func(t *Thread, s *playground) { s.permits.Acquire(t, 1) },
	func(t *Thread, s *playground) { s.permits.Release(t, 1) },
	func(t *Thread, s *playground) bool { return s.permits.TryAcquire(t, 1) },
	func(s *playground) (*latch, *waitQueue) { return &s.permits.latch, &s.permits.queue },
}, {
	"Cond",
	func(t *Thread, s *playground) {},
	func(t *Thread, s *playground) {
		s.mu.Lock(t)
		defer s.mu.Unlock(t) // panics unless it is locked
		s.cond.Wait(t, &s.mu)
	},
	func(t *Thread, s *playground) { s.cond.Signal(t) },
	func(t *Thread, s *playground) bool { return s.mu.LockFor(t, time.Minute) },
	func(s *playground) (*latch, *waitQueue) { return &s.cond.latch, &s.cond.queue },
}, {
	"WaitGroup",
	func(t *Thread, s *playground) { s.group.Add(t, 1) },
	func(t *Thread, s *playground) { s.group.Wait(t) },
	func(t *Thread, s *playground) { s.group.Done(t) },
	func(t *Thread, s *playground) bool { return s.group.WaitFor(t, 0) },
	func(s *playground) (*latch, *waitQueue) { return &s.group.latch, &s.group.queue },
}, {
	"Promise",
	func(t *Thread, s *playground) {},
	func(t *Thread, s *playground) { s.promise.Wait(t) },
	func(t *Thread, s *playground) { s.promise.Set(t, String{}) },
	func(t *Thread, s *playground) bool { return s.promise.Kept() },
	func(s *playground) (*latch, *waitQueue) { return &s.promise.latch, &s.promise.queue },
}, {
	"Timer",
	func(t *Thread, s *playground) { s.timer.Reset(t, time.Hour) },
	func(t *Thread, s *playground) { s.timer.Wait(t) },
	func(t *Thread, s *playground) { s.timer.Stop(t) },
	func(t *Thread, s *playground) bool { return !s.timer.Stop(t) },
	func(s *playground) (*latch, *waitQueue) { return &s.timer.alarm.latch, &s.timer.alarm.queue },
}, {
	"Ticker",
	func(t *Thread, s *playground) { s.ticker.Reset(t, time.Hour) },
	func(t *Thread, s *playground) { s.ticker.Wait(t) },
	func(t *Thread, s *playground) { s.ticker.Stop(t) },
	func(t *Thread, s *playground) bool { return !s.ticker.Wait(t) },
	func(s *playground) (*latch, *waitQueue) { return &s.ticker.alarm.latch, &s.ticker.alarm.queue },
}}

// A call that is inside when its proclet is destroyed can rely on a thread of the
// proclet that waits for it: what it gives is not lost.
func TestDestroyWaitsForCallsThatNeedThreads(t *testing.T) {
	for _, test := range waits {
		t.Run(test.name, func(t *testing.T) {
			g := newGround(t)
			r := g.th.runtime().find(g.ref.id)
			g.start(func(t *Thread, s *playground) {
				test.prepare(t, s)
				s.background(t, func(t *Thread, s *playground) {
					test.wait(t, s)
					s.promised.Set(t, 1)
				})
				for !r.destroying.Load() {
					t.Sleep(time.Millisecond)
				}
				test.give(t, s)
				s.promised.Wait(t)
			})
			l, q := test.queue(g.s)
			g.queued(l, q, 1)
			if err := Destroy(g.th, g.ref); err != nil {
				t.Error(err)
			}
			g.join()
		})
	}
}

// A thread that ends with its proclet while it waits leaves its queue, and what it has
// waited for is there for others.
func TestDestroyTakesThreadsOutOfQueues(t *testing.T) {
	for _, test := range waits {
		t.Run(test.name, func(t *testing.T) {
			g := newGround(t)
			r := g.th.runtime().find(g.ref.id)
			l, q := test.queue(g.s)
			end := make(chan any, 1) // what the waiting thread has recovered
			guarded := make(chan bool)
			free := make(chan bool, 1) // whether another one got what it had waited for
			g.play(func(t *Thread, s *playground) {
				test.prepare(t, s)
				s.background(t, func(t *Thread, s *playground) {
					defer func() { end <- recover() }()
					test.wait(t, s)
					panic("it has not ended while it waited")
				})
			})
			g.queued(l, q, 1)
			g.play(func(t *Thread, s *playground) {
				s.background(t, func(t *Thread, s *playground) {
					t.Guard() // so that it does not end
					close(guarded)
					for !r.ending.Load() || queueLen(l, q) != 0 {
						runtime.Gosched()
					}
					test.give(t, s)
					free <- test.free(t, s)
				})
			})
			<-guarded
			if err := Destroy(g.th, g.ref); err != nil {
				t.Error(err)
			}
			if v := <-end; v != nil {
				t.Errorf("the thread that waited: %v", v)
			}
			if !<-free {
				t.Error("what the thread has waited for is lost")
			}
		})
	}
}

// A thread that waits for another one to end, which does not, ends nevertheless.
func TestDestroyEndsThoseWhoJoin(t *testing.T) {
	g := newGround(t)
	r := g.th.runtime().find(g.ref.id)
	joined := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for s := r.head.started.running; s != nil; s = s.next {
			if !s.joining.empty() {
				return true
			}
		}
		return false
	}
	guarded, end := make(chan bool), make(chan any, 1)
	g.play(func(t *Thread, s *playground) {
		h := s.background(t, func(t *Thread, s *playground) {
			t.Guard()
			close(guarded)
			for !r.ending.Load() || joined() {
				runtime.Gosched()
			}
		})
		s.background(t, func(t *Thread, s *playground) {
			defer func() { end <- recover() }()
			h.Join(t)
			panic("it has not ended while it waited")
		})
	})
	<-guarded
	waitFor(t, "the thread to join", joined)
	if err := Destroy(g.th, g.ref); err != nil {
		t.Error(err)
	}
	if v := <-end; v != nil {
		t.Error(v)
	}
}
