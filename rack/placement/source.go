package placement

import "time"

// Source decides when a machine asks for relief. Between Next and what follows it, which is Refused or
// Finished, nothing else is asked for.
type Source struct {
	policy  Policy
	asking  bool
	waits   time.Duration // until the next request
	backoff time.Duration // how long it waits when it is refused again
}

func NewSource(p Policy) *Source { return &Source{policy: p} }

// How long a source that was refused waits before it asks again.
const (
	firstBackoff = 10 * time.Millisecond
	longestWait  = time.Second
)

// Next says what to ask for now, if anything. A machine that drains thinks of nothing else.
func (s *Source) Next(now time.Duration, st State, draining bool) (Kind, bool) {
	kind := Kind(0)
	switch {
	case draining:
		kind = Draining
	case st.Memory:
		kind = Memory
	case st.Processor && st.Waiting >= s.policy.Congested:
		kind = Processor
	default:
		if !st.Processor {
			s.backoff = 0
		}
		return 0, false
	}
	if s.asking || now < s.waits {
		return kind, false
	}
	s.asking = true
	return kind, true
}

// Giving reports whether the source gives something, or has asked whether it may.
func (s *Source) Giving() bool { return s.asking }

// Order reports whether the source can do what the leader has it do: it cannot while
// something else is going on.
func (s *Source) Order() bool {
	if s.asking {
		return false
	}
	s.asking = true
	return true
}

// Refused ends a request that nothing comes of: the next one waits longer each time.
func (s *Source) Refused(now time.Duration) {
	s.asking = false
	s.backoff = min(max(2*s.backoff, firstBackoff), longestWait)
	s.waits = now + s.backoff
}

// Finished ends a request after which so many proclets have moved. If it was for processors,
// what that changes has to show first.
func (s *Source) Finished(now time.Duration, k Kind, moved int) {
	if moved == 0 {
		s.Refused(now)
		return
	}
	s.asking, s.backoff, s.waits = false, 0, now
	if k == Processor {
		s.waits = now + s.policy.Settle
	}
}
