package proclet

import (
	"testing"
	"time"
)

// Counterpart of Nu's test of time: a proclet's clock goes forward, and who
// sleeps sleeps long enough by it.
func TestSleepAndNow(t *testing.T) {
	g := newGround(t)
	for i := range 20 {
		g.start(func(th *Thread, s *playground) {
			d := time.Duration(i) * time.Millisecond
			before := th.Now()
			th.Sleep(d)
			if slept := th.Now().Sub(before); slept < d {
				t.Errorf("slept %v instead of %v", slept, d)
			}
		})
	}
	g.join()
	g.play(func(th *Thread, s *playground) {
		th.Sleep(-1)
		last := th.Now()
		if off := last.Sub(time.Now()); off < -time.Minute || off > time.Minute {
			t.Errorf("the proclet's clock is off by %v", off)
		}
		for range 10000 {
			now := th.Now()
			if now.Before(last) {
				t.Fatalf("%v came after %v", now, last)
			}
			last = now
		}
	})
	// Ordinary goroutines.
	before := g.th.Now()
	g.th.Sleep(time.Millisecond)
	if slept := g.th.Now().Sub(before); slept < time.Millisecond {
		t.Errorf("an ordinary goroutine slept %v", slept)
	}
}

func TestTimer(t *testing.T) {
	g := newGround(t)
	g.play(func(th *Thread, s *playground) {
		tm := &s.timer
		if tm.Wait(th) || tm.Stop(th) {
			t.Error("the zero Timer is not off")
		}
		before := th.Now()
		const d = 2 * time.Millisecond
		if tm.Reset(th, d) || !tm.Wait(th) || th.Now().Sub(before) < d {
			t.Errorf("waited %v of %v", th.Now().Sub(before), d)
		}
		if !tm.Wait(th) {
			t.Error("a fired Timer is off")
		}
		if tm.Stop(th) || tm.Wait(th) {
			t.Error("a fired Timer was stopped, or is not off after Stop")
		}
		if tm.Reset(th, time.Hour) || !tm.Reset(th, time.Hour) || !tm.Stop(th) || tm.Wait(th) {
			t.Error("a running Timer was not running, or is not off after Stop")
		}
	})
	// Threads wait for another time than they first did.
	s := g.s
	g.play(func(t *Thread, s *playground) { s.timer.Reset(t, time.Hour) })
	for range 5 {
		g.start(func(th *Thread, s *playground) {
			if !s.timer.Wait(th) {
				t.Error("the Timer was set to another time and has not fired")
			}
		})
	}
	g.queued(&s.timer.alarm.latch, &s.timer.alarm.queue, 5)
	g.play(func(t *Thread, s *playground) { s.timer.Reset(t, time.Millisecond) })
	g.join()
	g.play(func(t *Thread, s *playground) { s.timer.Stop(t) })
}

func TestTicker(t *testing.T) {
	g := newGround(t)
	const period, each, threads = time.Millisecond, 5, 4
	var start time.Time
	g.play(func(th *Thread, s *playground) {
		if s.ticker.Wait(th) {
			t.Error("the zero Ticker is not off")
		}
		start = th.Now()
		s.ticker.Reset(th, period)
	})
	for range threads {
		g.start(func(th *Thread, s *playground) {
			for range each {
				if !s.ticker.Wait(th) {
					t.Error("the Ticker is off")
				}
			}
		})
	}
	g.join()
	g.play(func(th *Thread, s *playground) {
		if took := th.Now().Sub(start); took < each*threads*period {
			t.Errorf("%d ticks of %v took %v", each*threads, period, took)
		}
		// Ticks that nobody has waited for are dropped but for one.
		s.ticker.Reset(th, period)
		th.Sleep(5 * period)
		before := th.Now()
		s.ticker.Wait(th)
		s.ticker.Wait(th)
		s.ticker.Wait(th)
		if took := th.Now().Sub(before); took < period {
			t.Errorf("three ticks took %v", took)
		}
		s.ticker.Reset(th, time.Hour)
	})
	for range threads {
		g.start(func(th *Thread, s *playground) {
			if s.ticker.Wait(th) {
				t.Error("the Ticker ticked for ever")
			}
		})
	}
	g.queued(&g.s.ticker.alarm.latch, &g.s.ticker.alarm.queue, threads)
	g.play(func(t *Thread, s *playground) { s.ticker.Stop(t) })
	g.join()
}
