package port

import (
	"testing"
	"time"
)

// spun is a spinner of a machine on which a poll takes a time.
type spun struct {
	*spinner
	now  time.Time
	poll time.Duration
}

func newSpun(poll time.Duration, few bool) *spun {
	s := &spun{newSpinner(idleAdaptive), time.Unix(1, 0), poll}
	s.few, s.most, s.clock = few, 64, func() time.Time { return s.now }
	return s
}

// polls is how often it polls before it parks.
func (s *spun) polls() (n int) {
	for s.again() {
		n++
		s.now = s.now.Add(s.poll)
	}
	return n
}

// TestSpinGrows parks for a time, again and again: what is soon depends on how fast polls are.
func TestSpinGrows(t *testing.T) {
	for _, c := range []struct {
		poll, parked time.Duration
		want         int
	}{
		{100 * time.Nanosecond, 100 * time.Microsecond, 64},
		{100 * time.Nanosecond, 300 * time.Microsecond, 1},
		{3 * time.Microsecond, 300 * time.Microsecond, 64},
		{3 * time.Microsecond, 4 * time.Millisecond, 1},
	} {
		s := newSpun(c.poll, true)
		for range 10 {
			s.polls()
			s.parked(c.parked)
		}
		if got := s.polls(); got != c.want {
			t.Errorf("polls of %v, parked for %v: polls %d times; want %d", c.poll, c.parked, got, c.want)
		}
	}
}

// TestSpinBusy has others run for long between some polls: that does not make polls slow.
func TestSpinBusy(t *testing.T) {
	s := newSpun(100*time.Nanosecond, true)
	for i := range 20 {
		s.poll = 100 * time.Nanosecond
		if i%2 == 1 {
			s.poll = 10 * time.Millisecond
		}
		s.polls()
		s.parked(time.Millisecond)
	}
	if got := s.polls(); got != 1 {
		t.Errorf("polls %d times; want 1", got)
	}
}

// TestSpinSockets: after a frame for a socket the pump parks at once if it would keep others from
// the network poller, and after other frames it spins.
func TestSpinSockets(t *testing.T) {
	for _, c := range []struct {
		few  bool
		want int
	}{{true, 0}, {false, 64}} {
		s := newSpun(100*time.Nanosecond, c.few)
		for range 10 {
			s.polls()
			s.parked(time.Microsecond)
		}
		s.hit(1)
		if got := s.polls(); got != c.want {
			t.Errorf("few processors %v: polls %d times after a frame for a socket; want %d", c.few, got, c.want)
		}
		s.parked(time.Microsecond)
		s.hit(1)
		if got := s.polls(); got != 64 {
			t.Errorf("few processors %v: polls %d times after a frame for nobody's socket; want 64", c.few, got)
		}
	}
}
