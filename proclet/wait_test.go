package proclet

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// Misuse is a panic in the method, which ends the call and not the machine, and
// leaves everything usable.
func TestMisuseOfPrimitives(t *testing.T) {
	g := newGround(t)
	for _, c := range []struct {
		what, want string
		do         func(t *Thread, s *playground)
	}{
		{"Unlock", "Unlock of an unlocked Mutex", func(t *Thread, s *playground) { s.mu.Unlock(t) }},
		{"Unlock twice", "Unlock of an unlocked Mutex", func(t *Thread, s *playground) { s.mu.Lock(t); s.mu.Unlock(t); s.mu.Unlock(t) }},
		{"Unlock of a held one twice", "Unlock of an unlocked Mutex", func(t *Thread, s *playground) { s.mu.Hold(t); s.mu.Unlock(t); s.mu.Unlock(t) }},
		{"RWMutex.Unlock", "not locked for writing", func(t *Thread, s *playground) { s.rw.Unlock(t) }},
		{"RWMutex.RUnlock", "not locked for reading", func(t *Thread, s *playground) { s.rw.RUnlock(t) }},
		{"RUnlock of a writer", "not locked for reading", func(t *Thread, s *playground) { s.rw.Lock(t); defer s.rw.Unlock(t); s.rw.RUnlock(t) }},
		{"Unlock of a reader", "not locked for writing", func(t *Thread, s *playground) { s.rw.RLock(t); defer s.rw.RUnlock(t); s.rw.Unlock(t) }},
		{"Cond.Wait", "Cond.Wait with an unlocked Mutex", func(t *Thread, s *playground) { s.cond.Wait(t, &s.mu) }},
		{"WaitGroup.Done", "below 0", func(t *Thread, s *playground) { s.group.Done(t) }},
		{"WaitGroup.Add of much", "beyond", func(t *Thread, s *playground) { s.group.Add(t, 1<<31) }},
		{"WaitGroup.Add of very much", "beyond", func(t *Thread, s *playground) { s.group.Add(t, 1); defer s.group.Done(t); s.group.Add(t, 1<<63-1) }},
		{"Acquire", "negative", func(t *Thread, s *playground) { s.permits.Acquire(t, -1) }},
		{"Release", "negative", func(t *Thread, s *playground) { s.permits.Release(t, -1) }},
		{"Release of much", "too many", func(t *Thread, s *playground) { s.permits.Release(t, 1<<63-1) }},
		{"Fail", "no error", func(t *Thread, s *playground) { s.promise.Fail(t, nil) }},
		{"Ticker.Reset", "no positive time", func(t *Thread, s *playground) { s.ticker.Reset(t, 0) }},
		{"a panic in Once.Do", "once", func(t *Thread, s *playground) { s.once.Do(t, func() { panic("once") }) }},
	} {
		var p *PanicError
		if err := play(g.th, g.ref, c.do); !errors.As(err, &p) || !strings.Contains(p.Value, c.want) {
			t.Errorf("%s: %v, want a panic with %q", c.what, err, c.want)
		}
	}
	g.play(func(t *Thread, s *playground) {
		s.once.Do(t, func() { panic("done again after a panic") })
		s.once.done.Store(false)
	})
	if *g.s != (playground{}) {
		t.Error("misuse has left traces")
	}
}

// A thread that would have to wait, and has no room for that, panics, and
// changes nothing.
func TestWaitingInAFullHeap(t *testing.T) {
	g := newGround(t)
	g.play(func(t *Thread, s *playground) {
		s.mu.Lock(t)
		s.rw.Lock(t)
		s.group.Add(t, 1)
		s.timer.Reset(t, time.Hour)
		s.ticker.Reset(t, time.Hour)
		for n := uint64(1 << 16); n >= 16; {
			if _, err := t.heap.AllocReserved(n); err != nil {
				n /= 2
			}
		}
	})
	bytes := (*[unsafe.Sizeof(playground{})]byte)(unsafe.Pointer(g.s))
	before := *bytes
	for what, wait := range map[string]func(t *Thread, s *playground){
		"Mutex.Lock":        func(t *Thread, s *playground) { s.mu.Lock(t) },
		"RWMutex.Lock":      func(t *Thread, s *playground) { s.rw.Lock(t) },
		"RWMutex.RLock":     func(t *Thread, s *playground) { s.rw.RLock(t) },
		"Cond.Wait":         func(t *Thread, s *playground) { s.cond.Wait(t, &s.mu) },
		"WaitGroup.Wait":    func(t *Thread, s *playground) { s.group.Wait(t) },
		"Semaphore.Acquire": func(t *Thread, s *playground) { s.permits.Acquire(t, 1) },
		"Promise.Wait":      func(t *Thread, s *playground) { s.promise.Wait(t) },
		"Timer.Wait":        func(t *Thread, s *playground) { s.timer.Wait(t) },
		"Ticker.Wait":       func(t *Thread, s *playground) { s.ticker.Wait(t) },
		"Sleep":             func(t *Thread, s *playground) { t.Sleep(time.Hour) },
	} {
		g.play(func(th *Thread, s *playground) {
			defer func() {
				v := recover()
				if err, _ := v.(error); !errors.Is(err, ErrHeapFull) {
					t.Errorf("%s: %v", what, v)
				}
			}()
			wait(th, s)
		})
	}
	if before != *bytes {
		t.Errorf("%x\nhas become\n%x", before, *bytes)
	}
}

// Many threads of a proclet wait for each of the primitives at once.
func TestManyWait(t *testing.T) {
	const n = 300
	g := newGround(t)
	s := g.s
	var gone atomic.Int64
	g.play(func(t *Thread, s *playground) {
		s.mu.Lock(t)
		s.rw.Lock(t)
		s.group.Add(t, 1)
		s.timer.Reset(t, time.Hour)
	})
	for _, wait := range []func(t *Thread, s *playground){
		func(t *Thread, s *playground) { s.mu.Lock(t); s.mu.Unlock(t) },
		func(t *Thread, s *playground) { s.rw.Lock(t); s.rw.Unlock(t) },
		func(t *Thread, s *playground) { s.rw.RLock(t); s.rw.RUnlock(t) },
		func(t *Thread, s *playground) { s.mu2.Lock(t); s.cond.Wait(t, &s.mu2); s.mu2.Unlock(t) },
		func(t *Thread, s *playground) { s.group.Wait(t) },
		func(t *Thread, s *playground) { s.permits.Acquire(t, 2) },
		func(t *Thread, s *playground) {
			if v, err := s.promise.Wait(t); err != nil || v.String() != "kept" {
				panic(v.String())
			}
		},
		func(t *Thread, s *playground) {
			if s.timer.Wait(t) {
				panic("a Timer has fired that was stopped")
			}
		},
	} {
		for range n {
			g.start(func(t *Thread, s *playground) {
				wait(t, s)
				gone.Add(1)
			})
		}
	}
	g.queued(&s.mu.latch, &s.mu.queue, n)
	g.queued(&s.rw.latch, &s.rw.writers, n)
	g.queued(&s.rw.latch, &s.rw.readers, n)
	g.queued(&s.cond.latch, &s.cond.queue, n)
	g.queued(&s.group.latch, &s.group.queue, n)
	g.queued(&s.permits.latch, &s.permits.queue, n)
	g.queued(&s.promise.latch, &s.promise.queue, n)
	g.queued(&s.timer.alarm.latch, &s.timer.alarm.queue, n)
	if got := gone.Load(); got != 0 {
		t.Fatalf("%d did not wait", got)
	}
	g.play(func(t *Thread, s *playground) {
		s.mu.Unlock(t)
		s.rw.Unlock(t)
		s.cond.Broadcast(t)
		s.group.Done(t)
		s.permits.Release(t, 2*n)
		if err := s.promise.Set(t, View("kept")); err != nil {
			panic(err)
		}
		s.timer.Stop(t)
	})
	g.join()
	if got := gone.Load(); got != 8*n {
		t.Errorf("%d of %d have gone on", got, 8*n)
	}
}

// Permits are given in the order in which they were asked for.
func TestSemaphoreOrder(t *testing.T) {
	g := newGround(t)
	s := g.s
	for i := range 6 {
		g.start(func(t *Thread, s *playground) {
			s.permits.Acquire(t, 6-i)
			s.mu.Lock(t)
			if err := s.log.Append(t, int64(i)); err != nil {
				panic(err)
			}
			s.mu.Unlock(t)
		})
		g.queued(&s.permits.latch, &s.permits.queue, i+1)
	}
	for i := range 6 {
		g.play(func(t *Thread, s *playground) { s.permits.Release(t, 6-i) })
		waitFor(t, "the next in order", func() (next bool) {
			g.play(func(t *Thread, s *playground) {
				s.mu.Lock(t)
				next = s.log.Len() == i+1
				s.mu.Unlock(t)
			})
			return next
		})
		g.queued(&s.permits.latch, &s.permits.queue, 5-i)
	}
	g.join()
	g.play(func(_ *Thread, s *playground) {
		for i, v := range s.log.All() {
			if *v != int64(i) {
				t.Errorf("number %d was thread %d", i, *v)
			}
		}
	})
}

// Deadlines end waits, and what has happened before they do counts.
func TestDeadlines(t *testing.T) {
	g := newGround(t)
	g.play(func(_ *Thread, s *playground) {})
	g.play(func(th *Thread, s *playground) {
		s.mu.Lock(th)
		s.group.Add(th, 1)
		const short = time.Millisecond
		start := th.Now()
		if s.mu.LockFor(th, short) || s.cond.WaitFor(th, &s.mu, short) || s.group.WaitFor(th, short) || s.permits.AcquireFor(th, 1, short) {
			t.Error("something came that nobody has given")
		}
		if _, err := s.promise.WaitFor(th, short); err != context.DeadlineExceeded {
			t.Errorf("Promise.WaitFor: %v", err)
		}
		s.rw.RLock(th)
		if s.rw.LockFor(th, short) || !s.rw.RLockFor(th, short) {
			t.Error("readers and writers")
		}
		if d := th.Now().Sub(start); d < 6*short {
			t.Errorf("six waits of %v took %v", short, d)
		}
		s.rw.RUnlock(th)
		s.rw.RUnlock(th)
		s.mu.Unlock(th)
		s.group.Done(th)
		if !s.mu.LockFor(th, -1) || !s.group.WaitFor(th, -1) || !s.permits.AcquireFor(th, 0, -1) || !s.rw.LockFor(th, -1) {
			t.Error("a deadline in the past keeps from what is there")
		}
		s.mu.Unlock(th)
		s.rw.Unlock(th)
	})
	if *g.s != (playground{}) {
		t.Error("deadlines have left traces")
	}
}
