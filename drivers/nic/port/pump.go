package port

import (
	"runtime"
	"time"

	"nuos/drivers/nic"
)

// pump takes frames from the card while nobody else does.
func (p *Port) pump(idle idleMode) {
	defer close(p.pumped)
	spin := newSpinner(idle)
	for !p.closed.Load() {
		if p.Poll() > 0 {
			spin.hit()
			// Those whom the frames have woken go first: with one processor
			// they would otherwise wait until the pump finds nothing.
			runtime.Gosched()
			continue
		}
		if spin.again() {
			runtime.Gosched()
			continue
		}
		if !p.arm() {
			continue
		}
		since := time.Now()
		if err := p.dev.Wait(); err == nic.ErrClosed {
			return
		} else if err != nil {
			// Without its events the machine would be deaf, and silent
			// about it.
			panic("port: cannot wait for the NIC: " + err.Error())
		}
		spin.parked(time.Since(since))
	}
}

// arm waits for the receiving lock, unlike Poll: to find it held and to park
// would leave nobody to see the frames that arrive after its holder has looked.
func (p *Port) arm() bool {
	p.rx.mu.Lock()
	defer p.rx.mu.Unlock()
	return !p.closed.Load() && p.dev.Arm()
}

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
}

// soon is how long the pump is parked at most for spinning to have been better: several times
// what a wake-up takes, and many times what spinning does.
const soon = 200 * time.Microsecond

func newSpinner(idle idleMode) *spinner {
	// With one or two processors those who would send the next frame need the
	// one that spins.
	most := 128
	if runtime.GOMAXPROCS(0) <= 2 {
		most = 32
	}
	return &spinner{idle: idle, bound: 1, most: most}
}

// again reports whether to poll once more before parking.
func (s *spinner) again() bool {
	if s.idle != idleAdaptive {
		return s.idle == idlePoll
	}
	s.tried++
	return s.tried <= s.bound
}

// hit notes that a poll has found frames.
func (s *spinner) hit() { s.tried = 0 }

// parked notes how long it took until there were frames again.
func (s *spinner) parked(took time.Duration) {
	s.tried = 0
	if took < soon {
		s.bound = min(s.bound*2, s.most)
	} else {
		s.bound = max(s.bound/2, 1)
	}
}
