package rack

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// callTable is the calls of this machine that are under way in a session.
type callTable struct {
	calls    map[uint64]*call
	nextCall uint64
	trip     time.Duration // smoothed time from request to reply
	free     []*call       // for the next ones; no more than credits
}

func (t *callTable) init() { t.calls = map[uint64]*call{} }

// call is one that waits for its reply.
type call struct {
	message message
	credits chan struct{}
	began   time.Duration

	over  atomic.Bool   // reply and err are there
	ready chan struct{} // gets a word when over is set
	reply []byte
	err   error
	// abandoned means that nobody waits any more: only the credit is due.
	abandoned bool
}

const (
	// spinTrip is the longest round trip for which polling pays more than
	// parking costs.
	spinTrip = 100 * time.Microsecond
	// spinPolls bounds how often a waiting caller polls before it parks. It
	// is a number and not a time so that it also ends where time stands
	// still.
	spinPolls = 400
)

// call sends a request and waits for its reply.
func (s *session) call(ctx context.Context, service Service, req []byte) ([]byte, error) {
	fail := func(executed, cause error) ([]byte, error) {
		return nil, &CallError{MachineID(s.id.Load()), service, executed, cause}
	}
	if len(req) > MaxMessage {
		return fail(ErrNotSent, ErrTooLarge)
	}
	credits := s.system
	if service >= ServiceOrdinary {
		credits = s.ordinary
	}
	select {
	case credits <- struct{}{}:
	default:
		select {
		case credits <- struct{}{}:
		case <-ctx.Done():
			return fail(ErrNotSent, ctx.Err())
		case <-s.done:
		}
	}

	s.mu.Lock()
	switch {
	case s.state == sessionClosed:
		defer s.mu.Unlock()
		return fail(ErrNotSent, s.cause)
	case s.silent >= s.e.limit:
		s.mu.Unlock()
		<-credits
		return fail(ErrNotSent, ErrUnreachable)
	}
	c := s.newCall()
	s.nextCall++
	id := s.nextCall
	now := s.e.now()
	c.credits, c.began = credits, now
	c.over.Store(false)
	c.message = message{kind: kindRequest, service: service, id: id, data: req}
	s.calls[id] = c
	s.counts.CallsOut++
	s.post(&c.message)
	s.flush(now)
	trip := s.trip
	s.mu.Unlock()

	if trip < spinTrip {
		for i := 0; i < spinPolls && !c.over.Load(); i++ {
			if s.e.port.Poll() == 0 && i%8 == 7 {
				runtime.Gosched()
			}
		}
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
		if executed, gone := s.abandon(id, c); gone {
			return fail(executed, ctx.Err())
		}
		<-c.ready // the reply came at the same time
	}
	reply, err := c.reply, c.err
	if !c.abandoned {
		c.reply, c.err = nil, nil
		s.mu.Lock()
		s.free = append(s.free, c)
		s.mu.Unlock()
	}
	return reply, err
}

// newCall takes a call that is over, or makes one. Called with mu held.
func (t *callTable) newCall() *call {
	n := len(t.free)
	if n == 0 {
		return &call{ready: make(chan struct{}, 1)}
	}
	c := t.free[n-1]
	t.free = t.free[:n-1]
	return c
}

// abandon gives up waiting for a call, unless it is over. The credit stays
// taken until the peer has answered.
func (s *session) abandon(id uint64, c *call) (executed error, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[id] != c {
		return nil, false
	}
	return s.drop(id, c, false), true
}

// drop takes a call out of the hands of its caller and returns whether it may
// have been executed. final means that the session sends nothing more. Called
// with mu held.
func (s *session) drop(id uint64, c *call, final bool) error {
	m := &c.message
	if m.packed == 0 && m.queue != nil {
		m.queue.remove(m)
		delete(s.calls, id)
		<-c.credits
		return ErrNotSent
	}
	if m.queue != nil {
		if final {
			return ErrNotSent // without its last piece a request does not run
		}
		// Half of it is on its way. The rest follows, from a copy, since the
		// caller gets its buffer back.
		m.data = append([]byte(nil), m.data...)
	}
	c.abandoned = true
	return ErrMaybeExecuted
}

// failCalls ends every call with cause. Called with mu held.
func (s *session) failCalls(cause error) {
	for id, c := range s.calls {
		if c.abandoned {
			continue
		}
		executed := s.drop(id, c, cause != ErrUnreachable)
		c.abandoned = true // its message may still be queued: not for the pool
		c.finish(nil, &CallError{MachineID(s.id.Load()), c.message.service, executed, cause})
	}
}

func (c *call) finish(reply []byte, err error) {
	c.reply, c.err = reply, err
	c.over.Store(true)
	c.ready <- struct{}{}
}

// replied completes a call. Called with mu held.
func (s *session) replied(id uint64, st status, data []byte) {
	c := s.calls[id]
	if c == nil {
		s.e.drop(dropForeign)
		return
	}
	delete(s.calls, id)
	<-c.credits
	if c.abandoned {
		return
	}
	took := s.e.now() - c.began
	if s.trip == 0 {
		s.trip = took
	}
	s.trip += (took - s.trip) / 8
	if st == statusOK {
		c.finish(data, nil)
	} else {
		c.finish(nil, st.decode(data))
	}
}
