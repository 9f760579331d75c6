package proclet

import (
	"context"
	"errors"
	"sync"
	"time"

	"nuos/rack"
)

// releases are the counts that this machine is to give back, in the background.
// What cannot be delivered at the moment is tried again until it can be, or the
// proclet is gone; each is one message with one identity, however often it is
// sent.
type releases struct {
	mu      sync.Mutex
	due     map[handle]uint64 // not begun, by what they are counts of
	order   []handle          // those of due
	again   []*counting       // those that are to be tried again now
	workers int
	pending int           // those begun and not done, and proclets that are ending
	settled chan struct{} // closed when there are none any more; nil if nobody waits
}

// maxReleasing is how many are on their way at once.
const maxReleasing = 16

// retryAfter is the pause before something is tried again that was in vain.
const retryAfter = 100 * time.Millisecond

// giveBack gives n counts of h back. It does not wait.
func (rt *Runtime) giveBack(h handle, n uint64) {
	if r := rt.find(h.id); r != nil && r.gate.enter(false) {
		r.count(h.object, countRelease, n) // an error says that it was gone already
		r.gate.uncount()
		return
	}
	s := &rt.releases
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due == nil {
		s.due = map[handle]uint64{}
	}
	if s.due[h] == 0 {
		s.order = append(s.order, h)
	}
	s.due[h] += n
	s.start(rt)
}

// add takes over a change that was tried in vain.
func (s *releases) add(c *counting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending++
	s.again = append(s.again, c)
	s.start(c.rt)
}

// start starts another worker if there is work for one. Called with mu held.
func (s *releases) start(rt *Runtime) {
	if s.workers < maxReleasing {
		s.workers++
		go s.work(rt)
	}
}

func (s *releases) work(rt *Runtime) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var c *counting
		switch {
		case len(s.again) > 0:
			c = s.again[0]
			s.again = s.again[1:]
		case len(s.order) > 0:
			h := s.order[0]
			s.order = s.order[1:]
			c = rt.newCounting(h, countRelease, s.due[h])
			delete(s.due, h)
			s.pending++
		default:
			s.workers--
			s.tell()
			return
		}
		s.mu.Unlock()
		more := c.try()
		s.mu.Lock()
		if !more {
			s.pending--
		}
	}
}

// try tries to have a count changed, and reports whether it is going to be tried
// again.
func (c *counting) try() bool {
	err := c.ask()
	switch {
	case c.done && err == nil && c.undo:
		c.rt.giveBack(c.h, 1)
		return false
	case c.done, errors.Is(err, rack.ErrFenced), errors.Is(err, rack.ErrClosed):
		return false
	}
	time.AfterFunc(retryAfter, func() {
		s := &c.rt.releases
		s.mu.Lock()
		defer s.mu.Unlock()
		s.again = append(s.again, c)
		s.start(c.rt)
	})
	return true
}

// began and ended count what else is pending: a proclet that is ending may have
// something to give back.
func (s *releases) began() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending++
}

func (s *releases) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending--
	s.tell()
}

// tell tells those who wait for it that everything is done. Called with mu held.
func (s *releases) tell() {
	if s.idle() && s.settled != nil {
		close(s.settled)
		s.settled = nil
	}
}

// Settle gives back what the ordinary goroutines of this machine own, see [Ref],
// and returns when all that this machine is to give back has arrived. A machine
// that is about to leave the rack calls it, so that nothing is held by a machine
// that is not there.
func (rt *Runtime) Settle(ctx context.Context) error {
	rt.outsiders.giveBack(rt)
	return rt.releases.wait(ctx)
}

// wait returns when nothing is to be given back.
func (s *releases) wait(ctx context.Context) error {
	s.mu.Lock()
	if s.settled == nil {
		s.settled = make(chan struct{})
	}
	settled := s.settled
	s.tell()
	s.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// idle reports whether everything is done. Called with mu held.
func (s *releases) idle() bool { return s.pending == 0 && len(s.order) == 0 }
