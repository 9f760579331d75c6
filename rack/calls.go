package rack

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// callTable is the calls of this machine that are under way in a session.
type callTable struct {
	calls    map[uint64]*call
	nextCall uint64
	free     []*call     // for the next ones; no more than credits
	answered []*incoming // requests of the peer's, for its next ones; no more than its credits
	session  *session    // of these
}

func (t *callTable) init(s *session) { t.calls, t.session = map[uint64]*call{}, s }

// call is one that waits for its reply.
type call struct {
	message message
	credits chan struct{}
	began   time.Duration // or, if it waited for others, when the first of those was posted

	// done is called with the reply. If it is nil somebody waits:
	done  func(reply []byte, err error)
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

// linger polls the card until over, if calls have been answered so quickly of
// late that this pays, and not for long. One caller does that at a time: what others wait for
// comes to them all the same, and they would only keep those from running who have it already.
// So would one whose message waits for theirs.
func (e *endpoint) linger(over *atomic.Bool) {
	if e.gatherers.Load() != nil || time.Duration(e.trip.Load()) >= spinTrip || e.lingering.Swap(true) {
		return
	}
	defer e.lingering.Store(false)
	for i := 0; i < spinPolls && !over.Load(); i++ {
		if e.port.Poll() == 0 && i%8 == 7 {
			runtime.Gosched()
		}
	}
}

// tripped takes note of how long a call took. One that took very long, because
// of what its handler did, does not keep the next ones from being waited for.
func (e *endpoint) tripped(took time.Duration) {
	trip := e.trip.Load()
	e.trip.Store(trip + (int64(min(took, 10*spinTrip))-trip)/8)
}

// creditsFor are those that calls of a service take.
func (s *session) creditsFor(service Service) chan struct{} {
	if service >= ServiceOrdinary {
		return s.ordinary
	}
	return s.system
}

// call sends a request and waits for its reply.
func (s *session) call(ctx context.Context, service Service, req []byte) ([]byte, error) {
	fail := func(executed, cause error) ([]byte, error) {
		return nil, &CallError{MachineID(s.id.Load()), service, executed, cause}
	}
	if len(req) > MaxMessage {
		return fail(ErrNotSent, ErrTooLarge)
	}
	credits := s.creditsFor(service)
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
	c := s.request(service, req, nil)
	id := c.message.id
	s.mu.Unlock()

	s.e.linger(&c.over)
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

// begin sends a request if that can be done at once, and reports whether it has.
func (s *session) begin(service Service, req []byte, done func([]byte, error)) bool {
	if len(req) > MaxMessage {
		return false
	}
	credits := s.creditsFor(service)
	select {
	case credits <- struct{}{}:
	default:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != sessionOpen || s.silent >= s.e.limit {
		<-credits
		return false
	}
	s.request(service, req, done)
	return true
}

// request sends a request that has its credit. Called with mu held.
func (s *session) request(service Service, req []byte, done func([]byte, error)) *call {
	c := s.newCall()
	s.nextCall++
	c.credits, c.done = s.creditsFor(service), done
	c.over.Store(false)
	c.message = message{kind: messageRequest, service: service, id: s.nextCall, data: req}
	s.calls[s.nextCall] = c
	s.counts.CallsOut++
	s.post(&c.message)
	c.began = s.send()
	return c
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
		err := &CallError{MachineID(s.id.Load()), c.message.service, executed, cause}
		if c.done != nil {
			go c.done(nil, err)
		} else {
			c.finish(nil, err)
		}
	}
}

func (c *call) finish(reply []byte, err error) {
	c.reply, c.err = reply, err
	c.over.Store(true)
	c.ready <- struct{}{}
}

// replied completes a call, or notes whom to tell. data is lent, or whole's. Called
// with mu held.
func (s *session) replied(now time.Duration, id uint64, st status, data []byte, whole *partial) {
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
	s.arrives()
	s.e.tripped(now - c.began)
	if c.message.service >= ServiceOrdinary {
		s.latencies.add(now - c.began)
	}
	var err error
	if st != statusOK {
		data, err = nil, st.decode(data)
	}
	if c.done == nil {
		if whole == nil {
			data = slices.Clone(data)
		}
		c.finish(data, err)
		return
	}
	s.e.work = append(s.e.work, errand{done: c.done, reply: data, err: err, whole: whole})
	c.done = nil
	s.free = append(s.free, c)
}

// errand is what a frame has brought that is to be done without the session's
// lock: a request, or the reply to one, or pieces to send, or the last that was missing.
type errand struct {
	writer   *pieceWriter
	received *bulkIn // is over
	request  Request
	handler  handler // of request
	done     func([]byte, error)
	reply    []byte
	err      error
	whole    *partial // what is lent lies there, not in the frame
}

// runErrands does what the last frame has brought. Only the poller, of whom there is one at a
// time, uses work.
func (e *endpoint) runErrands() {
	for i := range e.work {
		e.work[i].run(&e.workers)
		e.work[i] = errand{}
	}
	e.work = e.work[:0]
}

func (e *errand) run(w *workers) {
	switch {
	case e.handler.serve != nil:
		e.handler.start(w, e.request)
	case e.done != nil:
		e.done(e.reply, e.err)
	case e.writer != nil:
		e.writer.grantTaken()
	case e.received != nil:
		e.received.told(e.received.err)
	}
	if e.whole != nil {
		e.whole.free()
	}
}
