package proclet

import (
	"testing"
	"time"
)

// Nap takes a permit, waits at most that long for it, and says whether it has got it.
func (s *playground) Nap(t *Thread, d time.Duration) (bool, error) {
	return s.permits.AcquireFor(t, 1, d), nil
}

// Threads that are frozen in their sleep sleep on when the proclet stays after all. What
// has happened to them meanwhile is not lost.
func TestSleepersOfAProcletThatStays(t *testing.T) {
	needMoves(t)
	const n = 20
	for what, c := range map[string]struct {
		patience  time.Duration
		meanwhile func(th *Thread, s *playground) // while they are frozen
		later     func(th *Thread, s *playground) // when they sleep on
		got       int
	}{
		"nothing happens": {time.Hour, func(*Thread, *playground) {}, func(th *Thread, s *playground) { s.permits.Release(th, n) }, n},
		"all are woken":   {time.Hour, func(th *Thread, s *playground) { s.permits.Release(th, n) }, func(*Thread, *playground) {}, n},
		"some are woken":  {time.Hour, func(th *Thread, s *playground) { s.permits.Release(th, n/2) }, func(th *Thread, s *playground) { s.permits.Release(th, n/2) }, n},
		"time passes": {20 * time.Millisecond, func(th *Thread, s *playground) {
			waitFor(t, "the time to pass", func() bool {
				s.permits.latch.lock()
				defer s.permits.latch.unlock()
				for w := s.permits.queue.first; w != nil; w = w.next {
					if w.deadline > machineClock() {
						return false
					}
				}
				return true
			})
		}, func(*Thread, *playground) {}, 0},
	} {
		for _, leaves := range []bool{false, true} {
			_, rts := newSegment(t, 2)
			th := rts[0].Current()
			ref := mustNew[playground](t, th, Options{On: rts[0].self, Capacity: 1 << 20})
			s := (*playground)(rts[0].find(ref.id).state)
			var naps []*Future[bool]
			for i := range n {
				naps = append(naps, Go(rts[i%2].Current(), ref, (*playground).Nap, c.patience))
			}
			if c.got == n {
				waitFor(t, "threads to sleep", func() bool { return queueLen(&s.permits.latch, &s.permits.queue) == n })
			}
			for range 3 {
				if err := rts[0].BeginLeave(ref.id, time.Minute); err != nil {
					t.Fatal(err)
				}
				rts[0].Reopen(ref.id)
			}
			if err := rts[0].BeginLeave(ref.id, time.Minute); err != nil {
				t.Fatal(err)
			}
			c.meanwhile(th, s)
			rts[0].Reopen(ref.id)
			if leaves {
				move(t, rts[0], rts[1], ref.id)
			}
			c.later(th, s)
			got := 0
			for i, f := range naps {
				ok, err := f.Wait(th)
				if err != nil {
					t.Errorf("%s: thread %d: %v", what, i, err)
				}
				if ok {
					got++
				}
			}
			if got != c.got {
				t.Errorf("%s: %d threads have got permits; want %d", what, got, c.got)
			}
		}
	}
}

// Threads that arrive frozen wait until their deadlines, each until its own, or until
// they get what they wait for.
func TestFrozenThreadsMeetTheirDeadlines(t *testing.T) {
	needMoves(t)
	const n, permits = 60, 20
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	ref := mustNew[playground](t, th, Options{On: rts[0].self, Capacity: 1 << 20})
	s := (*playground)(rts[0].find(ref.id).state)
	var naps []*Future[bool]
	for i := range n {
		naps = append(naps, Go(rts[i%2].Current(), ref, (*playground).Nap, time.Duration(50+i*7%n)*time.Millisecond))
	}
	move(t, rts[0], rts[1], ref.id)
	move(t, rts[1], rts[0], ref.id)
	s.permits.Release(th, permits)
	move(t, rts[0], rts[1], ref.id)
	got := 0
	for i, f := range naps {
		ok, err := f.Wait(th)
		if err != nil {
			t.Errorf("thread %d: %v", i, err)
		}
		if ok {
			got++
		}
	}
	if left := int(s.permits.word.Load() / semaphoreOne); got+left != permits {
		t.Errorf("%d threads have got permits, and %d are left; want %d", got, left, permits)
	}
	r := rts[1].find(ref.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := len(r.deadlines.all); got != 0 || r.head.frozen.n != 0 {
		t.Errorf("%d deadlines and %d frozen threads are left", got, r.head.frozen.n)
	}
}
