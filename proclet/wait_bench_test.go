package proclet

import (
	"sync"
	"testing"
	"time"
)

// BenchmarkUncontended compares what nobody waits for with its counterpart in
// package sync. Each turn is a hundred operations, so that calling the turn does
// not count.
func BenchmarkUncontended(b *testing.B) {
	var std struct {
		mu    sync.Mutex
		rw    sync.RWMutex
		group sync.WaitGroup
		once  sync.Once
		cond  sync.Cond
	}
	inHeapOf(b, 1<<16, func(th *Thread, s *playground) {
		const ops = 100
		std.once.Do(func() {})
		s.once.Do(th, func() {})
		for _, c := range []struct {
			what       string
			base, ours func()
		}{
			{"Mutex", func() { std.mu.Lock(); std.mu.Unlock() }, func() { s.mu.Lock(th); s.mu.Unlock(th) }},
			{"RWMutex.RLock", func() { std.rw.RLock(); std.rw.RUnlock() }, func() { s.rw.RLock(th); s.rw.RUnlock(th) }},
			{"RWMutex.Lock", func() { std.rw.Lock(); std.rw.Unlock() }, func() { s.rw.Lock(th); s.rw.Unlock(th) }},
			{"WaitGroup", func() { std.group.Add(1); std.group.Done() }, func() { s.group.Add(th, 1); s.group.Done(th) }},
			{"Semaphore-to-Mutex", func() { std.mu.Lock(); std.mu.Unlock() }, func() { s.permits.Release(th, 1); s.permits.Acquire(th, 1) }},
			{"Once", func() { std.once.Do(func() {}) }, func() { s.once.Do(th, func() {}) }},
			{"Cond.Signal", func() { std.cond.Signal() }, func() { s.cond.Signal(th) }},
		} {
			b.Run(c.what, func(b *testing.B) {
				b.ReportAllocs()
				ratio(b, func(int) {
					for range ops {
						c.base()
					}
				}, func(int) {
					for range ops {
						c.ours()
					}
				})
			})
		}
		s.permits.word.Store(0)
		s.once.done.Store(false)
	})
}

// BenchmarkContended compares threads of a proclet that want one Mutex with
// goroutines that want a sync.Mutex.
func BenchmarkContended(b *testing.B) {
	const threads, rounds = 8, 2000
	g := newGround(b)
	var floor time.Duration
	for b.Loop() {
		for range threads {
			g.start(func(t *Thread, s *playground) {
				for range rounds {
					s.mu.Lock(t)
					s.n++
					s.mu.Unlock(t)
				}
			})
		}
		g.join()
		b.StopTimer()
		var mu sync.Mutex
		var wg sync.WaitGroup
		n := 0
		start := time.Now()
		for range threads {
			wg.Go(func() {
				for range rounds {
					mu.Lock()
					n++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		floor += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(floor), "times-floor")
}

// BenchmarkHandOver passes a turn to and fro between two threads with a Mutex
// and a Cond, and between two goroutines with those of package sync.
func BenchmarkHandOver(b *testing.B) {
	const rounds = 1000
	g := newGround(b)
	var floor time.Duration
	for b.Loop() {
		for me := range int64(2) {
			g.start(func(t *Thread, s *playground) {
				for range rounds {
					s.mu.Lock(t)
					for s.n != me {
						s.cond.Wait(t, &s.mu)
					}
					s.n = 1 - me
					s.cond.Signal(t)
					s.mu.Unlock(t)
				}
			})
		}
		g.join()
		b.StopTimer()
		var mu sync.Mutex
		cond := sync.NewCond(&mu)
		var wg sync.WaitGroup
		turn := 0
		start := time.Now()
		for me := range 2 {
			wg.Go(func() {
				for range rounds {
					mu.Lock()
					for turn != me {
						cond.Wait()
					}
					turn = 1 - me
					cond.Signal()
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		floor += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(floor), "times-floor")
}
