package tsc

import (
	"sync/atomic"

	"nuos/kernel/internal/x86"
)

// Meeting compares the time stamp counters of two processors: one asks and the other answers
// with what its counter says. An answer from before the question, or after it has come, can
// be seen by a program as time that goes back. A difference that is smaller than the way
// between the processors can be seen by nobody.
type Meeting struct {
	asked, answered atomic.Uint32
	theirs          atomic.Uint64
}

// meetingRounds are enough for one without an interruption, which shows the most.
const meetingRounds = 8

// Ask meets the processor that is in Answer, and reports whether no difference is to be seen.
func (m *Meeting) Ask() (same bool) {
	same = true
	for range meetingRounds {
		before := x86.ReadTSC()
		round := m.asked.Add(1)
		for m.answered.Load() != round {
			x86.Pause()
		}
		if theirs, after := m.theirs.Load(), x86.ReadTSC(); theirs-before > after-before {
			same = false
		}
	}
	return same
}

// Answer meets the processor that is in Ask, or will be.
func (m *Meeting) Answer() {
	for range meetingRounds {
		round := m.answered.Load() + 1
		for m.asked.Load() != round {
			x86.Pause()
		}
		m.theirs.Store(x86.ReadTSC())
		m.answered.Store(round)
	}
}
