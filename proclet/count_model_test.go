package proclet

import (
	"context"
	"math/rand/v2"
	"testing"
)

// Permits are neither lost nor made, and one that wants many gets them.
func TestSemaphoreModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		const permits = 3
		taken, left := 0, n+1
		var programs []func()
		for range n {
			ops := rng.Perm(4)[:min(n, 4)]
			many := 1 + rng.IntN(permits)
			programs = append(programs, func() {
				for _, op := range ops {
					switch op {
					case 0, 1:
						s.permits.Acquire(th, many)
					case 2:
						if !s.permits.AcquireFor(th, many, 10) {
							continue
						}
					case 3:
						before := s.permits.word.Load()
						if !s.permits.TryAcquire(th, many) {
							expect(before&semaphoreWaiting != 0 || before/semaphoreOne < int64(many), "TryAcquire did not take what was there")
							continue
						}
					}
					taken += many
					expect(taken <= permits, taken, "permits are taken of", permits)
					simulated.step()
					taken -= many
					s.permits.Release(th, many)
				}
				left--
			})
		}
		programs = append(programs, func() {
			for range permits {
				s.permits.Release(th, 1)
			}
			left--
		})
		return programs, func(ended bool) {
			v, w := s.permits.word.Load(), s.permits.queue.first
			expect(v&semaphoreWaiting != 0 == (w != nil), "the word does not say that somebody waits, or says so wrongly")
			expect(w == nil || v/semaphoreOne < w.n, "somebody waits for what is there")
			if ended {
				expect(left == 0 && v == permits*semaphoreOne, "in the end the word is", v)
				s.permits.word.Store(0)
			}
		}
	})
}

// Nobody waits longer than until the count is 0, or goes on before, round after
// round.
func TestWaitGroupModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		zeros := 0 // how often the count has become 0
		s.group.Add(th, 1)
		var programs []func()
		for i := range n {
			programs = append(programs, func() { // work that has come by itself
				for range n {
					s.group.Add(th, 2)
					simulated.step()
					s.group.Done(th)
					s.group.Done(th)
					if s.group.word.Load()/waitGroupOne == 0 {
						zeros++
					}
				}
				if i == 0 {
					s.group.Done(th)
					if s.group.word.Load()/waitGroupOne == 0 {
						zeros++
					}
				}
			}, func() {
				before := zeros
				if s.group.word.Load() == 0 {
					before-- // this one counts
				}
				if i%2 == 0 || s.group.WaitFor(th, 10) {
					s.group.Wait(th)
					expect(zeros > before, "Wait returned though the count was never 0")
				}
			})
		}
		return programs, func(bool) {
			v := s.group.word.Load()
			expect(v&waitGroupWaiting != 0 == !s.group.queue.empty(), "the word does not say that somebody waits, or says so wrongly")
			expect(v/waitGroupOne != 0 || s.group.queue.empty(), "somebody waits for a count of 0 that is there")
		}
	})
}

// Once does it once, and nobody goes on before it is done; also if it panics.
func TestOnceModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		begun, done, panicked := 0, false, 0
		fails := rng.IntN(2) == 0
		var programs []func()
		for range n {
			programs = append(programs, func() {
				defer func() {
					expect(done, "Do returned before it was done")
					if v := recover(); v != nil {
						expect(v == "fails", v)
						panicked++
					}
				}()
				s.once.Do(th, func() {
					begun++
					simulated.step()
					done = true
					if fails {
						panic("fails")
					}
				})
			})
		}
		return programs, func(ended bool) {
			if ended {
				expect(begun == 1 && fails == (panicked == 1) && panicked <= 1, begun, "times done,", panicked, "panicked")
				s.once.done.Store(false)
			}
		}
	})
}

// One of those who keep a Promise does, and all who wait get what that one gave.
func TestPromiseModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		kept := int64(0)
		var programs []func()
		for i := range n {
			programs = append(programs, func() {
				me := int64(i + 1)
				var err error
				if me == 1 {
					err = s.promised.Fail(th, errTest)
				} else {
					err = s.promised.Set(th, me)
				}
				expect(err == nil || err == ErrKept, err)
				if err == nil {
					expect(kept == 0, "kept twice")
					kept = me
				}
			}, func() {
				if i%2 == 0 {
					if _, err := s.promised.WaitFor(th, 10); err == context.DeadlineExceeded {
						return
					}
				}
				v, err := s.promised.Wait(th)
				expect(err == errTest && v == 0 || err == nil && v > 1, v, err)
			})
		}
		return programs, func(ended bool) {
			expect(!s.promised.kept.Load() || s.promised.queue.empty(), "somebody waits for what is there")
			if ended {
				v, err := s.promised.Wait(th)
				expect(kept == 1 && err == errTest || err == nil && v == kept, "kept by", kept, "got", v, err)
				Free(th, &s.promised)
			}
		}
	})
}
