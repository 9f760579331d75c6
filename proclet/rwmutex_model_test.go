package proclet

import (
	"math/rand/v2"
	"testing"
)

// Writers exclude everybody, readers exclude writers, and nobody who waits is
// passed by the other kind more than it should.
func TestRWMutexModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		readers, writing := 0, false
		read := func() {
			readers++
			expect(!writing, "a reader beside a writer")
			simulated.step()
			expect(!writing, "a writer beside a reader")
			readers--
		}
		write := func() {
			expect(!writing && readers == 0, "a writer is not alone")
			writing = true
			simulated.step()
			expect(writing && readers == 0, "a writer is not alone any more")
			writing = false
		}
		var programs []func()
		for range n {
			ops := rng.Perm(6)[:min(n, 6)]
			programs = append(programs, func() {
				for _, op := range ops {
					switch op {
					case 0:
						s.rw.Lock(th)
						write()
						s.rw.Unlock(th)
					case 1:
						s.rw.RLock(th)
						read()
						s.rw.RUnlock(th)
					case 2:
						if s.rw.LockFor(th, 10) {
							write()
							s.rw.Unlock(th)
						}
					case 3:
						if s.rw.RLockFor(th, 10) {
							read()
							s.rw.RUnlock(th)
						}
					case 4:
						if s.rw.TryLock(th) {
							write()
							s.rw.Unlock(th)
						} else {
							expect(s.rw.word.Load() != 0, "TryLock did not lock the open RWMutex")
						}
					case 5:
						writers := !s.rw.writers.empty()
						if s.rw.TryRLock(th) {
							expect(!writers, "a reader passed a writer that waits")
							read()
							s.rw.RUnlock(th)
						} else {
							expect(writing || s.rw.word.Load()&(rwWriter|rwWaiting) != 0, "TryRLock did not lock the open RWMutex")
						}
					}
				}
			})
		}
		return programs, func(bool) {
			v := s.rw.word.Load()
			expect(v&rwWaiting != 0 == !(s.rw.readers.empty() && s.rw.writers.empty()), "the word does not say that somebody waits, or says so wrongly")
			expect(s.rw.readers.empty() || v&rwWriter != 0 || !s.rw.writers.empty(), "readers wait for nobody")
			expect(s.rw.writers.empty() || v&^rwWaiting != 0, "writers wait for nobody")
		}
	})
}

// A writer that unlocks lets all readers that wait go before the writers that
// wait, wherever they are in the queue.
func TestRWMutexTurns(t *testing.T) {
	g := newGround(t)
	s := g.s
	record := func(t *Thread, what int64) {
		g.s.mu.Lock(t)
		defer g.s.mu.Unlock(t)
		if err := s.log.Append(t, what); err != nil {
			panic(err)
		}
	}
	const writer, reader = 1, 2
	queue := func(writers, readers int) {
		g.queued(&s.rw.latch, &s.rw.writers, writers)
		g.queued(&s.rw.latch, &s.rw.readers, readers)
	}
	g.play(func(t *Thread, s *playground) { s.rw.Lock(t) })
	for i := range 3 {
		g.start(func(t *Thread, s *playground) {
			s.rw.Lock(t)
			record(t, writer)
			s.rw.Unlock(t)
		})
		queue(i+1, i)
		g.start(func(t *Thread, s *playground) {
			s.rw.RLock(t)
			s.group.Add(t, -1) // nobody goes on until all three readers are in
			s.group.Wait(t)
			record(t, reader)
			s.rw.RUnlock(t)
		})
		queue(i+1, i+1)
	}
	g.play(func(t *Thread, s *playground) {
		s.group.Add(t, 3)
		s.rw.Unlock(t)
	})
	g.join()
	want := []int64{reader, reader, reader, writer, writer, writer}
	for i, w := range want {
		if got := *s.log.At(i); got != w {
			t.Errorf("turn %d is of %d, want %d", i, got, w)
		}
	}
}
