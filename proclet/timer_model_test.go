package proclet

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Who waits for a Timer goes on when it has fired, and not before, or when it is
// off; whatever it is set to meanwhile.
func TestTimerModel(t *testing.T) {
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		a := &s.timer.alarm
		moment, fired, off := 0, -1, 0 // when it was last seen to have fired, and to be off
		look := func() {
			moment++
			if !a.on {
				off = moment
			} else if simulated.clock() >= a.when {
				fired = moment
			}
		}
		set := func() {
			for i := range n {
				// The last look was just before the Timer was set.
				running := s.timer.Reset(th, time.Duration(rng.IntN(30)))
				expect(running == (fired != moment && off != moment), "Reset says that the Timer was running:", running)
				expect(fired != moment || a.queue.empty(), "somebody waits on who waited for a Timer that had fired")
				look()
				simulated.step()
				if i%2 == 0 {
					running := s.timer.Stop(th)
					expect(running == (fired != moment && off != moment), "Stop says that the Timer was running:", running)
					look()
				}
			}
			s.timer.Reset(th, 1) // so that nobody waits for ever
		}
		wait := func() {
			for range n {
				since := moment
				got := s.timer.Wait(th)
				look()
				if got {
					expect(fired >= since, "Wait says that the Timer has fired, which it has not")
				} else {
					expect(off >= since, "Wait says that the Timer was off, which it was not")
				}
			}
		}
		programs := []func(){set}
		for range n {
			programs = append(programs, wait)
		}
		return programs, func(ended bool) {
			if !ended {
				look()
				for _, w := range simulated.(*simulation).actors {
					expect(w.w == nil || !w.w.queued || w.deadline <= a.when, "somebody waits until", w.deadline, "for", a.when)
				}
				return
			}
			// The last Reset has not fired yet, or has.
			due := simulated.clock() >= a.when
			expect(s.timer.Stop(th) == !due && !s.timer.Wait(th), "the Timer is not what it should be in the end")
			s.timer = Timer{}
		}
	})
}

// A Ticker ticks no more often than it should, each tick is for one thread, and
// all go on when it is stopped.
func TestTickerModel(t *testing.T) {
	const period = 10
	explore(t, func(th *Thread, s *playground, rng *rand.Rand, n int) ([]func(), func(bool)) {
		ticks, stopped := 0, false
		wait := func() {
			for range n {
				if s.ticker.Wait(th) {
					ticks++
					expect(clock(ticks) <= simulated.clock()/period, ticks, "ticks by", simulated.clock())
				} else {
					expect(stopped, "Wait says that the Ticker is off")
				}
			}
		}
		var programs []func()
		for range n {
			programs = append(programs, wait)
		}
		programs = append(programs, func() {
			for range n {
				simulated.step()
			}
			stopped = true
			s.ticker.Stop(th)
		})
		s.ticker.alarm.on, s.ticker.alarm.when, s.ticker.alarm.period = true, period, period
		return programs, func(ended bool) {
			if ended {
				s.ticker = Ticker{}
			}
		}
	})
}
