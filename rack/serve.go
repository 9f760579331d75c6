package rack

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// The other side of a call: handlers, requests and their answers.

// handler of a service.
type handler struct {
	serve  func(Request)
	inline bool
}

func (e *endpoint) handle(service Service, h handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := maps.Clone(*e.handlers.Load())
	m[service] = h
	e.handlers.Store(&m)
}

// handlerPatience is how long a request for a service that nobody handles
// waits for somebody to do so: machines do not start at the same instant.
const handlerPatience = 5 * time.Second

func (e *endpoint) awaitHandler(q Request) {
	for range handlerPatience / (20 * time.Millisecond) {
		time.Sleep(20 * time.Millisecond)
		if h, ok := (*e.handlers.Load())[q.Service]; ok {
			h.serve(q)
			return
		}
		if q.in.s != nil && q.in.s.isClosed() {
			return
		}
	}
	q.Fail(ErrNoService)
}

// Request is a request that a handler answers, once, through its Caller: then
// or later, from any goroutine.
type Request struct {
	From    MachineID // 0: a machine that is not a member yet
	Service Service
	Data    []byte // the handler's to keep, unless it is inline
	Caller
}

// Caller is who waits for the answer to a request. The zero Caller is nobody. Answers after the
// first are ignored.
type Caller struct {
	in   *incoming
	turn uint64 // of in: other values are those of other requests
}

// incoming is a request that waits for its answer. When it has that it is used again.
type incoming struct {
	s     *session // nil: from this machine
	local *call
	reply message
	turn  atomic.Uint64
}

// requested makes a request out of its message, whose data is lent, or whole's. Called with
// mu held.
func (s *session) requested(id uint64, service Service, data []byte, whole *partial) {
	s.counts.CallsIn++
	s.serving++
	s.arrives()
	in := s.newIncoming()
	in.reply = message{kind: messageReply, id: id}
	h, ok := (*s.e.handlers.Load())[service]
	switch {
	case role(s.role.Load()) == roleObserver && !service.Administrative():
		h = handler{func(q Request) { q.Fail(ErrForbidden) }, true}
	case !ok:
		h = handler{s.e.awaitHandler, false}
	}
	if !h.inline {
		if whole == nil {
			data = slices.Clone(data)
		}
		whole = nil // the handler's
	}
	q := Request{From: MachineID(s.id.Load()), Service: service, Data: data, Caller: Caller{in, in.turn.Load()}}
	s.e.work = append(s.e.work, errand{request: q, handler: h, whole: whole})
}

// newIncoming takes an incoming whose request has been answered, or makes one. Called with mu held.
func (t *callTable) newIncoming() *incoming {
	n := len(t.answered)
	if n == 0 {
		return &incoming{s: t.session}
	}
	in := t.answered[n-1]
	t.answered = t.answered[:n-1]
	return in
}

// start runs the handler. Called on the poller, without locks.
func (h *handler) start(w *workers, q Request) {
	if h.inline {
		h.serve(q)
	} else {
		w.start(h.serve, q)
	}
}

// Reply answers with data, which is copied.
func (c Caller) Reply(data []byte) {
	if len(data) > MaxMessage {
		c.Fail(ErrTooLarge)
		return
	}
	c.answer(statusOK, data)
}

// Fail answers with an error, which the caller gets as *RemoteError.
func (c Caller) Fail(err error) {
	st, text := encodeStatus(err)
	c.answer(st, text)
}

func (c Caller) answer(st status, data []byte) {
	in := c.in
	if !in.turn.CompareAndSwap(c.turn, c.turn+1) {
		return
	}
	s := in.s
	if s == nil {
		if st == statusOK {
			in.local.finish(append([]byte(nil), data...), nil)
		} else {
			in.local.finish(nil, st.decode(data))
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == sessionClosed {
		return
	}
	m := &in.reply
	m.status, m.data = st, data
	s.serving--
	s.post(m)
	s.send()
	if m.queue != nil { // the rest waits for the window
		m.data = append([]byte(nil), data...)
		return
	}
	s.answered = append(s.answered, in)
}

// callSelf is call on this machine.
func (e *endpoint) callSelf(ctx context.Context, service Service, req []byte) ([]byte, error) {
	self := MachineID(e.id.Load())
	h, ok := (*e.handlers.Load())[service]
	if !ok {
		h = handler{e.awaitHandler, false}
	}
	c := &call{ready: make(chan struct{}, 1)}
	h.start(&e.workers, Request{From: self, Service: service, Data: append([]byte(nil), req...), Caller: Caller{in: &incoming{local: c}}})
	select {
	case <-c.ready:
		return c.reply, c.err
	case <-ctx.Done():
		return nil, &CallError{self, service, ErrMaybeExecuted, ctx.Err()}
	}
}

// status of a reply: 0, or which of the errors below its text is of.
type status byte

const (
	statusOK    status = 0
	statusError status = 1
)

// sentinels keep their identity on the wire: their status is 2 and up. Only
// append.
var sentinels = []error{
	ErrNoService, ErrForbidden, ErrTooLarge, ErrDraining, ErrFenced, ErrNoDirectory, ErrRefused,
	ErrNoAddresses, ErrNotFound, ErrClosed, ErrLost, ErrMaybeExecuted, ErrUnreachable, ErrNotSent,
}

func encodeStatus(err error) (status, []byte) {
	text := []byte(err.Error())
	text = text[:min(len(text), 4096)]
	for i, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			return status(i + 2), text
		}
	}
	return statusError, text
}

func (st status) decode(text []byte) error {
	e := &RemoteError{Text: string(text)}
	if i := int(st) - 2; i >= 0 && i < len(sentinels) {
		e.sentinel = sentinels[i]
	}
	return e
}
