package proclet

import (
	"testing"
	"time"
)

// Many threads at once, on all processors, in all ways of locking.
func TestMutexExcludes(t *testing.T) {
	const threads, rounds = 50, 200
	g := newGround(t)
	for i := range threads {
		g.start(func(t *Thread, s *playground) {
			for n := range rounds {
				switch (i + n) % 3 {
				case 0:
					s.mu.Lock(t)
				case 1:
					for !s.mu.LockFor(t, time.Minute) {
					}
				case 2:
					if !s.mu.TryLock(t) {
						s.mu.Lock(t)
					}
				}
				s.n++
				s.mu.Unlock(t)
			}
		})
	}
	g.join()
	if g.s.n != threads*rounds || g.s.mu.word.Load() != 0 || !g.s.mu.queue.empty() {
		t.Errorf("%d rounds of %d, word %#x", g.s.n, threads*rounds, g.s.mu.word.Load())
	}
}

// While one thread takes the Mutex again and again, the others get it: nobody
// is overtaken more often than it may be.
func TestMutexNobodyStarves(t *testing.T) {
	const others, rounds = 4, 100
	g := newGround(t)
	worst := 0
	g.start(func(t *Thread, s *playground) { // the one that never lets go
		var first *waiter
		overtaken := 0
		for s.m < others*rounds {
			s.mu.Lock(t)
			s.mu.latch.lock()
			// A waiter may come to lie where another one was: it then counts from
			// the ticket of its own.
			if w := s.mu.queue.first; w != nil && w == first && w.n != 0 {
				overtaken++
				worst = max(worst, overtaken)
			} else {
				first, overtaken = w, 0
				if w != nil {
					w.n = 1
				}
			}
			s.mu.latch.unlock()
			s.mu.Unlock(t)
		}
	})
	for range others {
		g.start(func(t *Thread, s *playground) {
			for range rounds {
				s.mu.Lock(t)
				s.m++
				s.mu.Unlock(t)
			}
		})
	}
	g.join()
	if worst > maxOvertakes+1 {
		t.Errorf("a waiter was overtaken %d times, at most %d are allowed", worst, maxOvertakes+1)
	}
}

// Who gives up leaves nothing behind.
func TestMutexTimeouts(t *testing.T) {
	const waiters = 20
	g := newGround(t)
	g.play(func(t *Thread, s *playground) { s.mu.Lock(t) })
	for range waiters {
		g.start(func(t *Thread, s *playground) {
			if s.mu.LockFor(t, time.Millisecond) {
				panic("locked twice")
			}
		})
	}
	g.join()
	if w := g.s.mu.word.Load(); w != mutexLocked || !g.s.mu.queue.empty() {
		t.Errorf("word %#x, want %#x, and nobody queued", w, mutexLocked)
	}
	g.play(func(t *Thread, s *playground) { s.mu.Unlock(t) })
	g.play(func(t *Thread, s *playground) {
		if !s.mu.LockFor(t, 0) {
			panic("the Mutex is not open")
		}
		s.mu.Unlock(t)
	})
}

// A method's end releases what it holds, and only that.
func TestMutexHold(t *testing.T) {
	g := newGround(t)
	g.play(func(t *Thread, s *playground) {
		s.mu.Hold(t)
		s.mu.Hold(t) // once more means nothing
		s.mu2.Hold(t)
		s.mu2.Unlock(t) // ends it early
		s.mu2.Lock(t)   // and this is not the method's
	})
	if g.s.mu.word.Load() != 0 || g.s.mu2.word.Load() != mutexLocked {
		t.Errorf("words %#x, %#x", g.s.mu.word.Load(), g.s.mu2.word.Load())
	}
	g.play(func(t *Thread, s *playground) { s.mu2.Unlock(t) })

	// A thread that waits for it gets it at the end of the method.
	held := make(chan struct{})
	end := make(chan struct{})
	g.start(func(t *Thread, s *playground) {
		s.mu.Hold(t)
		close(held)
		<-end
	})
	<-held
	g.start(func(t *Thread, s *playground) {
		s.mu.Lock(t)
		s.n++
		s.mu.Unlock(t)
	})
	g.queued(&g.s.mu.latch, &g.s.mu.queue, 1)
	close(end)
	g.join()
	if g.s.n != 1 {
		t.Error("the waiter did not get the Mutex")
	}
}
