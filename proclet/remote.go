package proclet

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"nuos/rack"
)

// callRemote calls a method of a proclet that does not live here, for an ordinary
// goroutine.
func (rt *Runtime) callRemote(t *Thread, id ID, ct *callTypes, fn *closure, arg, res unsafe.Pointer) error {
	sl, msg, err := rt.callMessage(t, id, ct, fn, arg, make([]byte, 0, messageRoom))
	if err != nil {
		return err
	}
	answer, err := rt.askOnce(id, sl, msg)
	if err != nil {
		return err
	}
	return t.accept(answer, ct, res)
}

// messageRoom is enough for the messages of most calls, in bytes.
const messageRoom = 128

// keptRoom is the most memory for a message, in bytes, that is kept for the next one.
const keptRoom = 128 << 10

// callMessage gives a call an identity and encodes it, in room if that is enough.
func (rt *Runtime) callMessage(t *Thread, id ID, ct *callTypes, fn *closure, arg unsafe.Pointer, room []byte) (slot, []byte, error) {
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
	var calls [fewCalls]ID
	m := callMessage{id: id, slot: sl.number, seq: sl.seq, method: method, sig: ct.offset, left: t.left(), inside: t.path(calls[:])}
	msg, err := ct.arg.encode(m.append(room), arg)
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
	s := rt.search(id, msg)
	answer, err := s.ask(msg)
	rt.asked(id, sl, s.strays, err)
	return answer, err
}

// asked ends the use of the identity of a call for which the answer, or err, is there.
// strays says whether the message may still be on its way somewhere.
func (rt *Runtime) asked(id ID, sl slot, strays bool, err error) {
	if strays {
		sl.strays()
	}
	switch {
	case !errors.Is(err, ErrMaybeExecuted):
		rt.slots.put(id, sl)
	case errors.Is(err, ErrNoProclet), errors.Is(err, ErrLost):
		rt.slots.drop(id, 1)
	default:
		rt.slots.lose(id)
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

// ask sends a message to the machine where the proclet lives, wherever that is
// by now, and returns the answer of the machine that executed it. The errors are
// ErrNoProclet, ErrLost, ErrMaybeExecuted and those that have nothing to do with
// the proclet.
func (rt *Runtime) ask(id ID, msg []byte) ([]byte, error) {
	return rt.search(id, msg).ask(msg)
}

// search begins the search for who executes msg.
func (rt *Runtime) search(id ID, msg []byte) *search {
	return &search{rt: rt, id: id, maybe: msg[0] == messageAwait, insists: msg[0] == messageResult || msg[0] == messageRelease}
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
		if over, err := s.heard(answer, err); over {
			return answer, err
		}
	}
}

// heard takes note of what the machine that was asked has answered, and reports
// whether the search is over: with that answer, or with an error.
func (s *search) heard(answer []byte, err error) (over bool, failure error) {
	if err == nil && final(answer) {
		return true, nil
	}
	switch {
	case err != nil:
		failure = s.failed(err)
	case len(answer) == 0:
		failure = fmt.Errorf("%w: empty answer", errMalformed)
	case answer[0] == answerMoved, answer[0] == answerFollow:
		s.maybe = s.maybe || answer[0] == answerFollow
		to, err := (&decoder{answer[1:]}).location()
		if err != nil {
			return true, err
		}
		s.moved(to)
	case answer[0] == answerUnknown:
		s.from = directory
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
