package proclet

import "time"

// Timer is a time of a proclet's clock for which threads of the proclet wait. The
// zero value is off. It must not be copied after its first use. A Timer moves with
// its proclet, and so do those who wait for it.
type Timer struct{ alarm alarm }

// Reset makes the timer fire d from now, be it off, running or fired. Those who
// wait go on waiting, for the new time. It reports whether the timer was running:
// on and not yet fired.
func (tm *Timer) Reset(t *Thread, d time.Duration) (running bool) {
	return tm.alarm.set(t, true, t.after(d), 0)
}

// Stop turns the timer off. It reports whether the timer was running: on and not
// yet fired.
func (tm *Timer) Stop(t *Thread) (running bool) { return tm.alarm.set(t, false, 0, 0) }

// Wait waits until the timer fires, which may have been before, or is off. It
// reports whether the timer fired. Any number of threads may wait. It panics
// with ErrHeapFull if it has to wait and the heap has no room for that.
func (tm *Timer) Wait(t *Thread) (fired bool) { return tm.alarm.wait(t) }

// Ticker is a series of times of a proclet's clock, at equal distances. The zero
// value is off. It must not be copied after its first use. A Ticker moves with its
// proclet, and so do those who wait for it.
type Ticker struct{ alarm alarm }

// Reset makes the ticker tick every d from now on. It panics if d is not
// positive.
func (tk *Ticker) Reset(t *Thread, d time.Duration) {
	if d <= 0 {
		panic("proclet: Reset of a Ticker to no positive time")
	}
	tk.alarm.set(t, true, t.after(d), clock(d))
}

// Stop turns the ticker off. Those who wait go on.
func (tk *Ticker) Stop(t *Thread) { tk.alarm.set(t, false, 0, 0) }

// Wait waits for the next tick, or takes the last one if nobody has had it. It reports
// false if the ticker is off. Each tick is for one thread, the one that has waited
// longest; ticks that nobody waits for are dropped but for one. It panics with ErrHeapFull
// if it has to wait and the heap has no room for that.
func (tk *Ticker) Wait(t *Thread) bool { return tk.alarm.wait(t) }
