package proclet

import (
	"math/rand/v2"
	"testing"
)

// Threads that lock in all ways exclude each other, whatever the order, and
// nobody who waits is overtaken too often.
func TestMutexModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		owned := false
		var first *waiter
		overtaken := 0
		critical := func() {
			expect(!owned, "two threads hold the Mutex")
			owned = true
			if w := s.mu.queue.first; w != nil && w == first {
				overtaken++
				expect(overtaken <= maxOvertakes+1, "a waiter was overtaken", overtaken, "times")
			} else {
				first, overtaken = w, 0
			}
			simulated.step()
			expect(owned, "the Mutex was lost")
			owned = false
		}
		var programs []func()
		for range n {
			ops := rng.Perm(4)[:min(n, 4)]
			programs = append(programs, func() {
				for _, op := range ops {
					switch op {
					case 0, 1:
						s.mu.Lock(th)
					case 2:
						if !s.mu.TryLock(th) {
							expect(s.mu.word.Load()&mutexLocked != 0, "TryLock did not lock the open Mutex")
							continue
						}
					case 3:
						if !s.mu.LockFor(th, 10) {
							continue
						}
					}
					critical()
					s.mu.Unlock(th)
				}
			})
		}
		return programs, func(bool) {
			v := s.mu.word.Load()
			expect(v&mutexWaiting != 0 == !s.mu.queue.empty(), "the word does not say that somebody waits, or says so wrongly")
			expect(v&(mutexLocked|mutexWaiting|mutexWoken) != mutexWaiting, "somebody waits for nobody")
		}
	})
}

// One thread that never stops taking the Mutex cannot keep it from one that
// waits, even if that is slow.
func TestMutexBoundsOvertaking(t *testing.T) {
	inHeapOf(t, 1<<16, func(th *Thread, s *playground) {
		got := false
		taken := 0
		hog := func() {
			s.mu.Lock(th)
			simulated.step() // the other one comes and waits
			expect(s.mu.queue.first != nil)
			s.mu.Unlock(th)
			for ; s.mu.TryLock(th); taken++ {
				expect(taken <= maxOvertakes, "overtaken", taken, "times")
				s.mu.Unlock(th)
			}
			expect(!got && s.mu.word.Load()&mutexLocked != 0)
			s.mu.Lock(th)
			expect(got, "the one that the Mutex was handed over to was not first")
			s.mu.Unlock(th)
		}
		slow := func() {
			s.mu.Lock(th)
			got = true
			s.mu.Unlock(th)
		}
		if wrong := simulate(func(bool) {}, turns(0, 1, 1), hog, slow); wrong != "" {
			t.Fatal(wrong)
		}
		if taken != maxOvertakes {
			t.Errorf("taken %d times past a waiter, want %d", taken, maxOvertakes)
		}
	})
}

// turns chooses threads as listed, where there is a choice, and then the first.
func turns(list ...int) func(n int) int {
	return func(n int) int {
		if n == 1 || len(list) == 0 {
			return 0
		}
		next := list[0]
		list = list[1:]
		return next
	}
}

// One that has come in vain once gets the Mutex next.
func TestMutexHandsOver(t *testing.T) {
	inHeapOf(t, 1<<16, func(th *Thread, s *playground) {
		wrong := simulate(func(bool) {}, turns(0, 1, 1, 1, 1), func() {
			s.mu.Lock(th)
			simulated.step() // the other one comes and waits
			s.mu.Unlock(th)
			expect(s.mu.TryLock(th), "the Mutex was not opened for whoever comes first")
			simulated.step() // the other one comes in vain
			s.mu.Unlock(th)
			expect(!s.mu.TryLock(th), "the Mutex was not handed over")
		}, func() {
			s.mu.Lock(th)
			s.mu.Unlock(th)
		})
		if wrong != "" {
			t.Fatal(wrong)
		}
	})
}
