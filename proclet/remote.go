package proclet

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"nuos/rack"
)

// callRemote calls a method of a proclet that does not live here, for an ordinary
// goroutine.
func (rt *Runtime) callRemote(t *Thread, id ID, ct *callTypes, fn *closure, arg, res unsafe.Pointer) error {
	sl, msg, err := rt.callMessage(t, id, ct, fn, arg)
	if err != nil {
		return err
	}
	answer, err := rt.askOnce(id, sl, msg)
	if err != nil {
		return err
	}
	return t.accept(answer, ct, res)
}

// callMessage gives a call an identity and encodes it.
func (rt *Runtime) callMessage(t *Thread, id ID, ct *callTypes, fn *closure, arg unsafe.Pointer) (slot, []byte, error) {
	if id.IsZero() {
		return slot{}, nil, ErrNoProclet
	}
	method, err := identify(fn)
	if err != nil {
		return slot{}, nil, err
	}
	if err := t.Err(); err != nil {
		return slot{}, nil, err
	}
	sl := rt.slots.take(id)
	var room [fewCalls]ID
	m := callMessage{id: id, slot: sl.number, seq: sl.seq, method: method, sig: ct.offset, left: t.left(), inside: t.path(room[:])}
	msg, err := ct.arg.encode(m.append(make([]byte, 0, 128)), arg)
	if err == nil && len(m.inside) > maxInside {
		err = fmt.Errorf("proclet: a chain of more than %d calls", maxInside)
	}
	if err == nil && len(msg) > rack.MaxMessage {
		err = fmt.Errorf("%w: argument of %d bytes", rack.ErrTooLarge, len(msg))
	}
	if err != nil {
		rt.slots.put(id, sl)
	}
	return sl, msg, err
}

// askOnce asks with a message that has an identity, and ends the use of that.
func (rt *Runtime) askOnce(id ID, sl slot, msg []byte) ([]byte, error) {
	answer, err := rt.ask(id, msg)
	rt.asked(id, sl, err)
	return answer, err
}

// asked ends the use of the identity of a call for which the answer, or err, is there.
func (rt *Runtime) asked(id ID, sl slot, err error) {
	if errors.Is(err, ErrMaybeExecuted) {
		rt.slots.drop(id, 1)
	} else {
		rt.slots.put(id, sl)
	}
}

// accept decodes the answer to a call that t has made.
func (t *Thread) accept(answer []byte, ct *callTypes, res unsafe.Pointer) error {
	d := &decoder{answer[1:]}
	switch answer[0] {
	case answerFailed:
		return d.failure()
	case answerGone:
		return fmt.Errorf("%w: the answer was not kept", ErrMaybeExecuted)
	}
	check, n := *d, uintptr(0)
	if err := ct.res.measureWire(&check, &n); err != nil {
		return err
	}
	a, err := t.results(n)
	if err != nil {
		t.runtime().abandonEncoded(ct.res, d)
		return err
	}
	if err := ct.res.decode(res, d, &a); err != nil {
		return err
	}
	return t.receive(ct.res, res)
}

// How long a search goes on without progress.
const (
	// patience is for a rack that has no directory at the moment, and for machines
	// that do not answer and are not known to be dead.
	patience = 10 * time.Second
	// patienceLost is for news that are on their way to the directory: that a
	// machine gave the proclet away before it died, or that it was destroyed.
	patienceLost = 500 * time.Millisecond
)

// ask sends a message to the machine where the proclet lives, wherever that is
// by now, and returns the answer of the machine that executed it. The errors are
// ErrNoProclet, ErrLost, ErrMaybeExecuted and those that have nothing to do with
// the proclet.
func (rt *Runtime) ask(id ID, msg []byte) ([]byte, error) {
	s := search{rt: rt, id: id, maybe: msg[0] == messageAwait}
	return s.ask(msg)
}

func (s *search) ask(msg []byte) ([]byte, error) {
	ctx := context.Background()
	for {
		at, err := s.locate(ctx)
		if err != nil {
			return nil, err
		}
		var answer []byte
		if at.Machine == s.rt.self {
			answer = s.rt.answer(s.rt.self, msg)
		} else {
			answer, err = s.rt.net.Call(ctx, at.Machine, rack.ServiceProclet, msg)
		}
		if over, err := s.heard(at, answer, err); over {
			return answer, err
		}
	}
}

// heard takes note of what the machine at which the search has asked has answered,
// and reports whether the search is over: with that answer, or with an error.
func (s *search) heard(at rack.Location, answer []byte, err error) (over bool, failure error) {
	if err == nil && final(answer) {
		return true, nil
	}
	switch {
	case err != nil:
		failure = s.failed(at, err)
	case len(answer) == 0:
		failure = fmt.Errorf("%w: empty answer", errMalformed)
	case answer[0] == answerMoved, answer[0] == answerFollow:
		s.maybe = s.maybe || answer[0] == answerFollow
		to, err := (&decoder{answer[1:]}).location()
		if err != nil {
			return true, err
		}
		failure = s.moved(to)
	case answer[0] == answerUnknown:
		failure = s.unknown(at)
	default:
		failure = fmt.Errorf("%w: answer %d", errMalformed, answer[0])
	}
	return failure != nil, failure
}

// final reports whether an answer is one of the machine that has executed what it
// was asked.
func final(answer []byte) bool {
	return len(answer) > 0 && (answer[0] == answerDone || answer[0] == answerFailed || answer[0] == answerGone)
}

// search is the state of looking for a proclet: what has been tried, and
// whether the message may have been executed meanwhile. A location with more
// moves than any before is progress.
type search struct {
	rt    *Runtime
	id    ID
	maybe bool          // some machine may have executed the message
	stale bool          // ask the directory, not the cache
	seen  uint64        // highest number of moves of a location so far, plus one
	dead  bool          // the machine of last is dead
	last  rack.Location // the last one that was of no use
	since time.Time     // when there was progress last; zero if a moment ago
	pause time.Duration // before the next try
	cause error         // why there is no progress
}

// locate returns where to try next.
func (s *search) locate(ctx context.Context) (rack.Location, error) {
	for {
		if s.pause > 0 {
			time.Sleep(s.pause)
		}
		var at rack.Location
		var err error
		if s.stale {
			at, err = s.rt.net.Relocate(ctx, s.id.Gen)
		} else {
			at, err = s.rt.net.Locate(ctx, s.id.Gen)
		}
		switch {
		case err == nil && (at != s.last || !s.dead):
			s.seen = max(s.seen, at.Moves+1)
			return at, nil
		case err == nil: // still the machine that is dead
		case errors.Is(err, rack.ErrNotFound):
			if !s.stale {
				s.stale = true
				continue
			}
			s.cause = ErrNoProclet
		case errors.Is(err, rack.ErrLost):
			s.cause = ErrLost
		case errors.Is(err, rack.ErrFenced), errors.Is(err, rack.ErrClosed):
			return at, s.final(err)
		default:
			s.cause = err
		}
		if s.cause == ErrNoProclet && !s.maybe && !s.dead {
			return at, ErrNoProclet
		}
		if !s.again() {
			return at, s.final(s.cause)
		}
	}
}

// again says whether it makes sense to go on without progress, and after which
// pause.
func (s *search) again() bool {
	now := time.Now()
	if s.since.IsZero() {
		s.since = now
	}
	s.stale = true
	s.pause = min(max(2*s.pause, time.Millisecond), 50*time.Millisecond)
	limit := patience
	if s.cause == ErrLost || s.cause == ErrNoProclet {
		limit = patienceLost
	}
	return now.Sub(s.since) < limit
}

// final is the error when the search is given up because of err.
func (s *search) final(err error) error {
	if s.maybe {
		return fmt.Errorf("%w: %w", ErrMaybeExecuted, err)
	}
	return err
}

// failed takes note that a machine did not answer. The error is nil if it makes
// sense to look elsewhere.
func (s *search) failed(at rack.Location, err error) error {
	if errors.Is(err, rack.ErrMaybeExecuted) {
		s.maybe = true
	}
	switch {
	case errors.Is(err, rack.ErrLost):
		// The proclet died with the machine, unless it had left before.
		s.cause, s.dead, s.last = ErrLost, true, at
	case errors.Is(err, rack.ErrUnreachable), errors.Is(err, rack.ErrNoService): // the latter: it has only just joined
		s.cause, s.last = err, at
	default:
		return s.final(err)
	}
	if !s.again() {
		return s.final(s.cause)
	}
	return nil
}

// moved takes note that the proclet has moved on. The error is nil if it makes
// sense to look again.
func (s *search) moved(to rack.Location) error {
	s.rt.net.Learn(s.id.Gen, to)
	if to.Moves >= s.seen {
		s.stale, s.dead, s.since, s.pause = false, false, time.Time{}, 0
		return nil
	}
	// It has been known to be further on already, and was not there.
	if s.cause == nil {
		s.cause = ErrNoProclet
	}
	if !s.again() {
		return s.final(s.cause)
	}
	return nil
}

// unknown takes note that the machine where the proclet should be does not know
// it: the cached location is old, or the proclet has been destroyed and the
// directory does not know yet. The error is nil if it makes sense to look again.
func (s *search) unknown(at rack.Location) error {
	fresh := s.stale
	s.last, s.stale = at, true
	if fresh {
		if !s.dead {
			s.cause = ErrNoProclet
		}
		if !s.again() {
			return s.final(s.cause)
		}
	}
	return nil
}
