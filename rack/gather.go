package rack

import "time"

// Messages that are about to be posted together travel together: in one packet, for which the
// processors of both machines take a lock, look at the clock and acknowledge once. That those who
// have got an answer are going to ask again, and those who have got a request to answer, is what
// due counts. While there are such, and enough other calls are under way to keep the peer busy, a
// message waits for theirs. It does so until the last of them has posted, until there are as many
// as pay, or until somebody looks at the card again, which happens when those have run who could.
// A single call never waits.

const (
	// maxGathered is how many messages wait for each other. More would gain little: the peer is to
	// begin with the first ones while the others are made.
	maxGathered = 8
	// perGathered is how many calls there must be under way for each message that may wait.
	perGathered = 3
	// gatherTime is how long messages may take to gather. If it takes longer, because somebody
	// computes before he posts, the next gatherPause messages go at once.
	gatherTime  = 100 * time.Microsecond
	gatherPause = 64
)

// gathering is what a session knows about messages that are about to be posted. It is guarded by
// the session's lock.
type gathering struct {
	more     bool          // frames that came in this round are about to be delivered
	due      int           // messages that came in this round and have not led to one of ours
	came     int           // messages that came in this round
	round    uint64        // endpoint.rounds then
	load     int           // calls that are under way, both ways: the most in this round, or what the last one brought
	serving  int           // requests of the peer's that have not been answered
	together int           // messages that wait in the open packet
	since    time.Duration // when the first of them was posted
	pause    int           // so many messages go at once

	listed       bool     // among endpoint.gatherers
	nextGatherer *session // in that list
}

// beginRound forgets what the round before has brought, and notes whether this one has brought more
// frames than the one that is delivered. Called on the poller, with mu held.
func (s *session) beginRound(more bool) {
	s.more = more
	if s.round != s.e.rounds {
		s.round, s.due, s.came, s.load = s.e.rounds, 0, 0, max(s.came, len(s.calls)+s.serving)
	}
}

// arrives notes a message to which one of ours is the answer, or likely to follow.
func (s *session) arrives() {
	s.due++
	s.came++
	s.load = max(s.load, len(s.calls)+s.serving)
}

// send sends what was posted, unless it waits for others, and returns the time, or when the first of
// those was posted: the clock is looked at for all of them. Called with mu held.
func (s *session) send() (now time.Duration) {
	g := &s.gathering
	if g.due > 0 {
		g.due--
	}
	switch {
	case g.pause > 0:
		g.pause--
	case (g.due > 0 || g.more) && s.open != nil && g.together+1 < min(g.load/perGathered, maxGathered) && s.awaitsPoll():
		if g.together++; g.together == 1 {
			g.since = s.e.now()
		}
		return g.since
	}
	now = s.e.now()
	s.flush(now)
	return now
}

// awaitsPoll has settle send what is posted, unless the pump is parked and nobody might call it.
func (s *session) awaitsPoll() bool {
	if !s.listed {
		s.listed = true
		for {
			s.nextGatherer = s.e.gatherers.Load()
			if s.e.gatherers.CompareAndSwap(s.nextGatherer, s) {
				break
			}
		}
	}
	return s.e.port.Pumping()
}

// gathered is called when the open packet is sent.
func (s *session) gathered(now time.Duration) {
	if s.together > 0 && now-s.since > gatherTime {
		s.pause = gatherPause
	}
	s.together = 0
}

// settle sends what waits for others. It is called before the card is looked at.
func (e *endpoint) settle() {
	e.rounds++
	if e.gatherers.Load() == nil {
		return
	}
	for s := e.gatherers.Swap(nil); s != nil; {
		s.mu.Lock()
		after := s.nextGatherer
		s.nextGatherer, s.listed = nil, false
		if s.together > 0 {
			s.flush(s.e.now())
		}
		s.mu.Unlock()
		s = after
	}
}
