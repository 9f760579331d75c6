package proclet

import (
	"sync"
	"testing"
	"time"
)

// keepMoving moves a proclet round the machines until the calls have ended, and
// returns how often.
func keepMoving(t *testing.T, rts []*Runtime, id ID, ended func() bool) (moves int) {
	t.Helper()
	for at := 0; !ended(); moves++ {
		next := (at + 1) % len(rts)
		move(t, rts[at], rts[next], id)
		at = next
		time.Sleep(100 * time.Microsecond) // so that there is something to move
	}
	return moves
}

// whileMoving calls methods from all machines, each with a number of its own,
// while the proclet goes round, and returns its state when all have returned.
func whileMoving(t *testing.T, each int, methods ...func(*playground, *Thread, int64) (int64, error)) *playground {
	t.Helper()
	needMoves(t)
	_, rts := newSegment(t, 3)
	ref := mustNew[playground](t, rts[0].Current(), Options{On: rts[0].self, Capacity: 4 << 20})
	var wg sync.WaitGroup
	done := make(chan struct{})
	for i := range each {
		for _, m := range methods {
			wg.Go(func() {
				if got, err := Call(rts[i%3].Current(), ref, m, int64(i)); err != nil || got != int64(i) {
					t.Errorf("thread %d: %d, %v", i, got, err)
				}
			})
		}
	}
	go func() {
		wg.Wait()
		close(done)
	}()
	moves := keepMoving(t, rts, ref.id, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	t.Logf("%d moves", moves)
	r := rts[moves%3].find(ref.id)
	if err := r.heap.Check(); err != nil {
		t.Error(err)
	}
	return (*playground)(r.state)
}

// Counterpart of Nu's test of locks: whoever holds one moves, and so do those who
// wait.
func TestMoveRacesWithMutexes(t *testing.T) {
	s := whileMoving(t, 8, (*playground).Exclude, (*playground).ReadAndWrite)
	if s.n != 16*excludeRounds || s.m != 0 {
		t.Errorf("%d rounds of %d, %d inside", s.n, 16*excludeRounds, s.m)
	}
}

const excludeRounds = 50

func (s *playground) Exclude(t *Thread, v int64) (int64, error) {
	for i := range excludeRounds {
		if i%3 != 0 || !s.mu.LockFor(t, time.Duration(i)*time.Millisecond) {
			s.mu.Lock(t)
		}
		before := s.n
		t.Sleep(10 * time.Microsecond) // with the lock
		s.n = before + 1
		s.mu.Unlock(t)
		t.Checkpoint()
	}
	return v, nil
}

func (s *playground) ReadAndWrite(t *Thread, v int64) (int64, error) {
	for i := range excludeRounds {
		if (int64(i)+v)%2 == 0 {
			s.rw.RLock(t)
			before := s.m
			t.Sleep(10 * time.Microsecond)
			if s.m != before {
				panic("a writer beside a reader")
			}
			s.rw.RUnlock(t)
		} else {
			s.rw.Lock(t)
			s.m++
			t.Checkpoint()
			s.m--
			s.rw.Unlock(t)
		}
		s.mu.Lock(t)
		s.n++
		s.mu.Unlock(t)
	}
	return v, nil
}

// Counterpart of Nu's test of condition variables: what is put is taken, in a
// buffer of one, while the proclet moves.
func TestMoveRacesWithConds(t *testing.T) {
	s := whileMoving(t, 4, (*playground).Put, (*playground).Take)
	if s.n != 0 || s.m != 0 || !s.cond.queue.empty() || !s.cond2.queue.empty() {
		t.Errorf("%d are left of %d", s.n, s.m)
	}
}

const putRounds = 3000

func (s *playground) Put(t *Thread, v int64) (int64, error) {
	for range putRounds {
		s.mu.Lock(t)
		for s.n == 1 {
			s.cond.Wait(t, &s.mu)
		}
		s.n = 1
		s.m++
		s.cond2.Signal(t)
		s.mu.Unlock(t)
	}
	return v, nil
}

func (s *playground) Take(t *Thread, v int64) (int64, error) {
	for range putRounds {
		s.mu.Lock(t)
		for s.n == 0 {
			if !s.cond2.WaitFor(t, &s.mu, time.Millisecond) {
				s.cond2.Signal(t) // in case it was for us
			}
		}
		s.n = 0
		s.m--
		s.cond.Signal(t)
		s.mu.Unlock(t)
	}
	return v, nil
}

// Counterpart of Nu's test of time: nobody who sleeps wakes early, and the clock
// never goes back, wherever the proclet is when it is time.
func TestMoveRacesWithTimers(t *testing.T) {
	s := whileMoving(t, 6, (*playground).Doze, (*playground).WatchClock, (*playground).Tick, (*playground).Alarm)
	if s.n != 6*4 {
		t.Errorf("%d of %d were in time", s.n, 6*4)
	}
}

func (s *playground) WatchClock(t *Thread, v int64) (int64, error) {
	last := t.Now().UnixNano()
	end := last + int64(50*time.Millisecond)
	ok := true
	for last < end {
		s.mu2.Lock(t)
		now := t.Now().UnixNano()
		ok = ok && now >= s.m && now >= last // no thread has seen a later time
		s.m, last = now, now
		s.mu2.Unlock(t)
		t.Checkpoint()
	}
	if ok {
		s.lock2(t)
	}
	return v, nil
}

// Alarm sets the timer, which others set to a later time meanwhile, and waits for it.
func (s *playground) Alarm(t *Thread, v int64) (int64, error) {
	const d = 500 * time.Microsecond
	ok := true
	for range 30 {
		s.mu.Lock(t)
		before := t.Now().UnixNano()
		s.timer.Reset(t, d)
		s.mu.Unlock(t)
		ok = s.timer.Wait(t) && t.Now().UnixNano()-before >= int64(d) && ok
	}
	if ok {
		s.lock2(t)
	}
	return v, nil
}

func (s *playground) Tick(t *Thread, v int64) (int64, error) {
	s.once.Do(t, func() { s.ticker.Reset(t, time.Millisecond) })
	before := t.Now().UnixNano()
	for range 5 {
		if !s.ticker.Wait(t) {
			return v, nil
		}
	}
	// One tick may have been there already.
	if t.Now().UnixNano()-before >= int64(3*time.Millisecond) {
		s.lock2(t)
	}
	return v, nil
}

// Counterpart of Nu's test of threads: threads that a method has started compute
// and are waited for, while the proclet moves.
func TestThreadsWhileMoving(t *testing.T) {
	const each, threads = 3, 10
	s := whileMoving(t, each, (*playground).Spread)
	if want := int64(each * threads * (threads - 1) / 2 * 20000); s.n != want {
		t.Errorf("threads have added up %d, want %d", s.n, want)
	}
}

func (s *playground) Spread(t *Thread, v int64) (int64, error) {
	const threads = 10
	s.group.Add(t, threads)
	for i := range int64(threads) {
		if _, err := Start(t, (*playground).Compute, i); err != nil {
			return 0, err
		}
	}
	s.group.Wait(t)
	return v, nil
}

func (s *playground) Compute(t *Thread, v int64) {
	defer s.group.Done(t)
	sum := int64(0)
	for i := range 20000 {
		sum += v
		if i%20 == 0 {
			t.Checkpoint()
		}
	}
	s.permits.Release(t, 1)
	s.permits.Acquire(t, 1)
	s.mu.Lock(t)
	s.n += sum
	s.mu.Unlock(t)
}
