package proclet

import (
	"fmt"
	"testing"
	"time"
)

// What the threads of these tests do lies in methods that keep nothing of Go's
// heap, so that they can move wherever they wait.

func (s *playground) lock(t *Thread) {
	s.mu.Lock(t)
	s.n++
	s.mu.Unlock(t)
}

func (s *playground) WaitMutex(t *Thread, v int64) (int64, error) { s.lock(t); return v, nil }

func (s *playground) WaitMutexFor(t *Thread, v int64) (int64, error) {
	if s.mu.LockFor(t, time.Hour) {
		s.n++
		s.mu.Unlock(t)
	}
	return v, nil
}

func (s *playground) WaitWriter(t *Thread, v int64) (int64, error) {
	s.rw.Lock(t)
	s.n++
	s.rw.Unlock(t)
	return v, nil
}

func (s *playground) WaitReader(t *Thread, v int64) (int64, error) {
	s.rw.RLock(t)
	defer s.rw.RUnlock(t)
	s.lock2(t)
	return v, nil
}

func (s *playground) lock2(t *Thread) {
	s.mu2.Lock(t)
	defer s.mu2.Unlock(t)
	s.n++
}

func (s *playground) WaitCond(t *Thread, v int64) (int64, error) {
	s.mu2.Lock(t)
	defer s.mu2.Unlock(t)
	for s.m == 0 {
		s.cond.Wait(t, &s.mu2)
	}
	s.n++
	return v, nil
}

func (s *playground) WaitGroup(t *Thread, v int64) (int64, error) {
	s.group.Wait(t)
	s.lock2(t)
	return v, nil
}

func (s *playground) WaitPermit(t *Thread, v int64) (int64, error) {
	s.permits.Acquire(t, 1)
	s.lock2(t)
	return v, nil
}

func (s *playground) WaitOnce(t *Thread, v int64) (int64, error) {
	s.once.Do(t, func() { s.group.Wait(t) })
	s.lock2(t)
	return v, nil
}

func (s *playground) WaitPromise(t *Thread, v int64) (int64, error) {
	p, err := s.promise.Wait(t)
	if err == nil && p.String() == "kept" {
		s.lock2(t)
	}
	return v, err
}

func (s *playground) WaitTimer(t *Thread, v int64) (int64, error) {
	if s.timer.Wait(t) {
		s.lock2(t)
	}
	return v, nil
}

func (s *playground) WaitTicker(t *Thread, v int64) (int64, error) {
	if s.ticker.Wait(t) {
		s.lock2(t)
	}
	return v, nil
}

func (s *playground) Doze(t *Thread, v int64) (int64, error) {
	before := t.Now().UnixNano()
	t.Sleep(50 * time.Millisecond)
	if t.Now().UnixNano()-before >= int64(50*time.Millisecond) {
		s.lock2(t)
	}
	return v, nil
}

// Close makes all who come wait.
func (s *playground) Close(t *Thread, _ struct{}) (int, error) {
	s.mu.Lock(t)
	s.rw.Lock(t)
	s.group.Add(t, 1)
	s.timer.Reset(t, time.Hour)
	s.ticker.Reset(t, time.Hour)
	return 0, nil
}

// Open lets them go on.
func (s *playground) Open(t *Thread, permits int) (int, error) {
	s.mu.Unlock(t)
	s.rw.Unlock(t)
	s.mu2.Lock(t)
	s.m = 1
	s.mu2.Unlock(t)
	s.cond.Broadcast(t)
	s.group.Done(t)
	s.permits.Release(t, permits)
	s.timer.Reset(t, 0)
	s.ticker.Reset(t, 100*time.Microsecond)
	return 0, s.promise.Set(t, View("kept"))
}

// Threads that wait move with their proclet, go on where it is then, and their
// results come home.
func TestWaitingThreadsMove(t *testing.T) {
	needMoves(t)
	const each = 3
	for name, wait := range map[string]struct {
		method func(*playground, *Thread, int64) (int64, error)
		queued func(s *playground) int
	}{
		"Mutex":     {(*playground).WaitMutex, func(s *playground) int { return queueLen(&s.mu.latch, &s.mu.queue) }},
		"LockFor":   {(*playground).WaitMutexFor, func(s *playground) int { return queueLen(&s.mu.latch, &s.mu.queue) }},
		"writer":    {(*playground).WaitWriter, func(s *playground) int { return queueLen(&s.rw.latch, &s.rw.writers) }},
		"reader":    {(*playground).WaitReader, func(s *playground) int { return queueLen(&s.rw.latch, &s.rw.readers) }},
		"Cond":      {(*playground).WaitCond, func(s *playground) int { return queueLen(&s.cond.latch, &s.cond.queue) }},
		"WaitGroup": {(*playground).WaitGroup, func(s *playground) int { return queueLen(&s.group.latch, &s.group.queue) }},
		"Semaphore": {(*playground).WaitPermit, func(s *playground) int { return queueLen(&s.permits.latch, &s.permits.queue) }},
		"Once": {(*playground).WaitOnce, func(s *playground) int {
			return queueLen(&s.group.latch, &s.group.queue) + queueLen(&s.once.mu.latch, &s.once.mu.queue)
		}},
		"Promise": {(*playground).WaitPromise, func(s *playground) int { return queueLen(&s.promise.latch, &s.promise.queue) }},
		"Timer":   {(*playground).WaitTimer, func(s *playground) int { return queueLen(&s.timer.alarm.latch, &s.timer.alarm.queue) }},
		"Ticker":  {(*playground).WaitTicker, func(s *playground) int { return queueLen(&s.ticker.alarm.latch, &s.ticker.alarm.queue) }},
	} {
		for moves := range 4 {
			t.Run(fmt.Sprint(name, moves), func(t *testing.T) {
				_, rts := newSegment(t, 3)
				ref := mustNew[playground](t, rts[0].Current(), Options{On: rts[0].self, Capacity: 1 << 20})
				s := (*playground)(rts[0].find(ref.id).state)
				if _, err := Call(rts[0].Current(), ref, (*playground).Close, struct{}{}); err != nil {
					t.Fatal(err)
				}
				var calls []*Future[int64]
				for i := range 2 * each { // half of them from the proclet's machine, half from another one
					calls = append(calls, Go(rts[i%2].Current(), ref, wait.method, int64(i)))
				}
				waitFor(t, "threads to queue up", func() bool { return wait.queued(s) == 2*each })
				for i := range moves {
					move(t, rts[i%3], rts[(i+1)%3], ref.id)
				}
				if got := wait.queued(s); got != 2*each {
					t.Errorf("%d of %d are queued after %d moves", got, 2*each, moves)
				}
				if _, err := Call(rts[2].Current(), ref, (*playground).Open, 2*each); err != nil {
					t.Fatal(err)
				}
				for i, c := range calls {
					if got, err := c.Wait(rts[0].Current()); err != nil || got != int64(i) {
						t.Errorf("thread %d: %d, %v", i, got, err)
					}
				}
				if s.n != 2*each {
					t.Errorf("%d of %d have got what they waited for", s.n, 2*each)
				}
			})
		}
	}
}
