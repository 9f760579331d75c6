package proclet

import (
	"math"
	"time"
)

// clock is a time of a proclet's clock, in nanoseconds since 1970. A proclet's
// clock starts as that of the machine that makes the proclet, goes on as the
// monotonic clock of the machine where it lives, and does not go back when it
// moves. The clock of an ordinary goroutine is its machine's.
type clock int64

// never is the deadline of what waits for as long as it takes.
const never clock = math.MaxInt64

// machineStart is read on both clocks of the machine at once.
var machineStart = time.Now()

// machineClock is the clock of this machine: it starts with the time of day, and
// does not follow when that is set.
func machineClock() clock {
	return clock(machineStart.UnixNano()) + clock(time.Since(machineStart))
}

// clock reads the clock of the proclet that t runs in.
func (t *Thread) clock() clock {
	if t.heap == nil {
		return machineClock()
	}
	return machineClock() + (*head)(t.heap.Root()).ahead
}

// after is the deadline d from now.
func (t *Thread) after(d time.Duration) clock {
	now := t.now()
	if c := now + clock(d); c >= now || d < 0 {
		return c
	}
	return never
}

// Now returns the time of the proclet's clock, in UTC. Of two calls in a
// proclet, from whatever threads and on whatever machines, the later one never
// returns an earlier time. The clock is set by that of the machine where the
// proclet was made, and does not follow when time is set anywhere; clocks of
// proclets may differ as those of machines do. Its UnixNano may be kept in state.
//
// An ordinary goroutine gets its machine's clock.
func (t *Thread) Now() time.Time { return time.Unix(0, int64(t.clock())).UTC() }

// Sleep waits until the proclet's clock has advanced by d. A thread that sleeps
// moves with its proclet. Ordinary goroutines may sleep, too.
func (t *Thread) Sleep(d time.Duration) {
	if t.heap == nil {
		time.Sleep(d)
		return
	}
	if d <= 0 {
		return
	}
	deadline := t.after(d)
	w := t.await()
	t.park(w, deadline)
	t.awaited(w, false)
}
