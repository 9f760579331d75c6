package port

import (
	"runtime"
	"time"
)

// idleMode says what the pump does when no frames come.
type idleMode uint8

const (
	idleAdaptive idleMode = iota // polls for as long as pays
	idlePoll                     // polls for ever
	idleHalt                     // parks at once
)

// spinner decides how often the pump polls in vain before it parks. Parking costs a wake-up, so
// the bound grows while frames come soon after the pump has parked, and shrinks while they do not:
// a quiet machine costs next to nothing. Only what happens after parking says which it is. To grow
// when spinning finds something would never begin with a peer that answers what it waits for,
// since then each frame takes as long as the wake-up of the last.
//
// It counts polls, not time. Between two polls everybody else runs who can: on
// a busy machine that is long, so the pump does not park while frames keep
// coming, which is right, because there Go's network poller is only looked at
// every 10 ms. On an idle machine it is no time, and the poller is prompt.
type spinner struct {
	idle               idleMode
	tried, bound, most int
	few                bool             // processors: who spins keeps the network poller from being looked at
	rested             uint64           // frames for sockets, so far
	clock              func() time.Time // time.Now
	began              time.Time        // the polls in vain; zero: there is none
	poll               time.Duration    // what one of them has taken at best, 0 before any
}

// Frames come soon if spinning would have been better: within several times what a wake-up takes,
// and many times what spinning does. Wake-ups are as slow as polls are, which in an emulator is
// thirty times slower than on a machine, so that is measured.
const (
	soonLeast = 200 * time.Microsecond
	soonPolls = 1000
)

func newSpinner(idle idleMode) *spinner {
	processors := runtime.GOMAXPROCS(0)
	return &spinner{idle: idle, bound: 1, most: mostPolls(processors), few: processors <= 2, clock: time.Now}
}

// again reports whether to poll once more before parking.
func (s *spinner) again() bool {
	if s.idle != idleAdaptive {
		return s.idle == idlePoll
	}
	if s.tried == 0 {
		s.began = s.clock()
	}
	if s.tried < s.bound {
		s.tried++
		return true
	}
	if !s.began.IsZero() {
		took := max(1, s.clock().Sub(s.began)/time.Duration(s.tried))
		if s.poll == 0 || took < s.poll {
			s.poll = took
		}
	}
	return false
}

// hit notes that a poll has found frames, and how many ever were for sockets. Who waits for those
// waits in Go's network poller, which nobody looks at while the pump spins on one of few
// processors: it parks.
func (s *spinner) hit(rested uint64) {
	s.tried = 0
	if rested != s.rested && s.few {
		s.tried, s.began = s.bound, time.Time{}
	}
	s.rested = rested
}

// parked notes how long it took until there were frames again.
func (s *spinner) parked(took time.Duration) {
	s.tried = 0
	if took < max(soonLeast, soonPolls*s.poll) {
		s.bound = min(s.bound*2, s.most)
	} else {
		s.bound = max(s.bound/2, 1)
	}
}
