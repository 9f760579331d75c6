package proclet

import (
	"math/rand/v2"
	"testing"
)

// Producers and consumers of a buffer of one: no Signal is lost, or they would
// wait for ever.
func TestCondModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		full := false
		pairs := n / 2
		items := 1 + n/3
		broadcast := rng.IntN(2) == 0
		tell := func(c *Cond) {
			if broadcast {
				c.Broadcast(th)
			} else {
				c.Signal(th)
			}
		}
		put := func() {
			for range items {
				s.mu.Lock(th)
				for full {
					s.cond.Wait(th, &s.mu)
				}
				full = true
				s.n++
				s.mu.Unlock(th)
				tell(&s.cond2)
			}
		}
		take := func() {
			for range items {
				s.mu.Lock(th)
				for !full {
					if !s.cond2.WaitFor(th, &s.mu, 10) {
						tell(&s.cond2) // in case it was for us
					}
				}
				full = false
				s.n--
				tell(&s.cond)
				s.mu.Unlock(th)
			}
		}
		var programs []func()
		for range pairs {
			programs = append(programs, put, take)
		}
		return programs, func(ended bool) {
			expect(s.n == 0 || s.n == 1, "the buffer of one holds", s.n)
			expect(!ended || !full, "something was not taken")
			expect(s.cond.waiting.Load() == !s.cond.queue.empty(), "the Cond does not say that somebody waits, or says so wrongly")
		}
	})
}

// Every Signal while somebody waits ends exactly one Wait; a Wait that its
// deadline ends swallows none.
func TestCondSignalsOne(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		sent, got, left := 0, 0, n
		count := func() { // those who wait for the Cond are woken under its latch
			if s.cond.latch.mu.TryLock() {
				s.cond.latch.mu.Unlock()
			} else {
				sent++
			}
		}
		wait := func() {
			simulated.(*simulation).onWake = count
			s.mu.Lock(th)
			if s.cond.WaitFor(th, &s.mu, 10) {
				got++
			}
			left--
			s.mu.Unlock(th)
		}
		signal := func() {
			for range n {
				before, waited := sent, !s.cond.queue.empty()
				gone := left
				s.cond.Signal(th)
				expect(!waited || sent > before || left < gone || s.cond.queue.empty(), "Signal woke nobody")
				simulated.step()
			}
		}
		programs := []func(){signal}
		for range n {
			programs = append(programs, wait)
		}
		return programs, func(ended bool) {
			expect(!ended || left == 0 && got == sent, sent, "signals ended", got, "waits")
		}
	})
}
