package proclet

import (
	"math"
	"sync/atomic"
	"time"
)

// Semaphore is a number of permits that threads of a proclet take and give back.
// The zero value has none: the first Release says how many there are. It must
// not be copied after its first use.
//
// Threads get permits in the order in which they asked. One that wants many is
// not passed by those that want few.
type Semaphore struct {
	word  atomic.Int64
	latch latch // guards the queue
	queue waitQueue
}

// The word of a Semaphore is the number of permits, times semaphoreOne, and
// semaphoreWaiting, with which it changes only with the latch held.
const (
	semaphoreWaiting = 1 << iota // the queue is not empty
	semaphoreOne
)

// Acquire takes n permits, and waits until it can. It panics if n is negative,
// and with ErrHeapFull if it has to wait and the heap has no room for that.
func (s *Semaphore) Acquire(t *Thread, n int) {
	if !s.TryAcquire(t, n) {
		s.acquire(t, n, never)
	}
}

// AcquireFor is Acquire, but gives up after d. It reports whether it took the
// permits.
func (s *Semaphore) AcquireFor(t *Thread, n int, d time.Duration) bool {
	return s.TryAcquire(t, n) || s.acquire(t, n, t.after(d))
}

// TryAcquire takes n permits if they are there and nobody waits for permits, and
// reports whether it did. It panics if n is negative.
func (s *Semaphore) TryAcquire(t *Thread, n int) bool {
	checkPermits(n)
	for {
		v := s.word.Load()
		if v&semaphoreWaiting != 0 || v/semaphoreOne < int64(n) {
			return false
		}
		if s.word.CompareAndSwap(v, v-int64(n)*semaphoreOne) {
			return true
		}
	}
}

// Release adds n permits. It panics if n is negative, or if there are more than
// 1<<62 permits.
func (s *Semaphore) Release(t *Thread, n int) {
	checkPermits(n)
	for {
		v := s.word.Load()
		if v/semaphoreOne > math.MaxInt64/semaphoreOne-int64(n) {
			panic("proclet: too many permits in a Semaphore")
		}
		if v&semaphoreWaiting != 0 {
			break
		}
		if s.word.CompareAndSwap(v, v+int64(n)*semaphoreOne) {
			return
		}
	}
	s.latch.lock()
	defer s.latch.unlock()
	s.word.Add(int64(n) * semaphoreOne)
	s.admit()
}

func (s *Semaphore) acquire(t *Thread, n int, deadline clock) bool {
	w := t.await()
	w.n = int64(n)
	s.latch.lock()
	s.queue.push(w)
	s.word.Or(semaphoreWaiting)
	s.admit() // they may be there by now
	s.latch.unlock()
	acquired := t.park(w, deadline)
	if !acquired {
		s.latch.lock()
		acquired = !w.queued
		if !acquired {
			s.queue.remove(w)
			s.admit() // others may have waited for this one only
		}
		s.latch.unlock()
	}
	t.awaited(w, acquired)
	return acquired
}

// admit gives permits to those who wait, in their order. Called with the latch held.
func (s *Semaphore) admit() {
	for w := s.queue.first; w != nil && w.n <= s.word.Load()/semaphoreOne; w = s.queue.first {
		s.word.Add(-w.n * semaphoreOne)
		s.queue.release()
	}
	if s.queue.empty() {
		s.word.And(^semaphoreWaiting)
	}
}

func checkPermits(n int) {
	if n < 0 {
		panic("proclet: a negative number of permits")
	}
}
