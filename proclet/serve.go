package proclet

import (
	"fmt"

	"nuos/rack"
)

// serve answers a message of another runtime. It runs on a goroutine of its own.
func (rt *Runtime) serve(q rack.Request) { q.Reply(rt.answer(q.From, q.Data)) }

// answer executes a message. Whatever the bytes are, there is an answer.
func (rt *Runtime) answer(from rack.MachineID, msg []byte) []byte {
	d := &decoder{msg}
	kind, err := d.take(1)
	if err != nil {
		return failed(err)
	}
	var answer []byte
	switch kind[0] {
	case messageCall:
		var m callMessage
		if m, err = d.call(); err == nil {
			answer = rt.answerCall(from, &m, d)
		}
	case messageRelease:
		answer, err = rt.answerRelease(from, d)
	case messageCreate:
		answer, err = rt.answerCreate(d)
	case messageDestroy:
		var id ID
		if id, err = d.id(); err == nil {
			answer, err = rt.answerDestroy(id)
		}
	case messageCount:
		answer, err = rt.answerCount(from, d)
	case messageReturn:
		answer, err = rt.answerReturn(d)
	default:
		err = fmt.Errorf("%w: kind %d", errMalformed, kind[0])
	}
	if err != nil {
		return failed(err)
	}
	return answer
}

// away is the answer about a proclet that does not live here.
func (rt *Runtime) away(id ID) []byte {
	if at, ok := rt.departure(id); ok {
		return appendMoved(nil, at)
	}
	return []byte{answerUnknown}
}

func (rt *Runtime) answerCall(from rack.MachineID, m *callMessage, d *decoder) []byte {
	caller := Thread{rt: rt.index, inside: m.inside}
	r := rt.enter(&caller, m.id)
	if r == nil {
		return rt.away(m.id)
	}
	defer r.gate.leave()
	answer, err := r.once.begin(from, m.slot, m.seq)
	if err != nil {
		return failed(err)
	}
	if answer != nil {
		return answer
	}
	ended := false
	defer func() {
		if !ended { // the method ended its goroutine
			r.once.end(from, m.slot, []byte{answerGone})
		}
	}()
	answer = r.execute(m, d)
	r.once.end(from, m.slot, answer)
	ended = true
	return answer
}

// execute calls a method for another machine and returns the encoded answer.
func (r *resident) execute(m *callMessage, d *decoder) []byte {
	sig, err := implementation[signature](m.sig, signatureOf[struct{}, struct{}, struct{}]{})
	if err != nil {
		return failed(err)
	}
	ct, err := typesOf(sig)
	if err != nil {
		return failed(err)
	}
	if ct.state != nil && ct.state != r.typ {
		return failed(r.wrongState(ct))
	}
	fn, err := m.method.function()
	if err != nil {
		return failed(err)
	}
	n := room(ct.arg.size) + room(ct.res.size)
	check := *d
	err = ct.arg.measureWire(&check, &n)
	if err == nil && len(check.b) != 0 {
		err = fmt.Errorf("%w: %d bytes after the argument", errMalformed, len(check.b))
	}
	if err != nil {
		return failed(err)
	}
	t, a, err := r.begin(m.inside, ID{}, n)
	if err != nil {
		return failed(err)
	}
	defer t.end()
	in, out := a.alloc(ct.arg, 1), a.alloc(ct.res, 1)
	if err := ct.arg.decode(in, d, &a); err != nil {
		return failed(err)
	}
	if err := r.run(ct, fn, t, in, out); err != nil {
		return failed(err)
	}
	if err := t.handOver(ct.res, out); err != nil {
		return failed(err)
	}
	answer, err := ct.res.encode([]byte{answerDone}, out)
	if err == nil && len(answer) > rack.MaxMessage {
		err = fmt.Errorf("%w: result of %d bytes", rack.ErrTooLarge, len(answer))
	}
	if err != nil {
		r.rt.abandon(ct.res, out)
		return failed(err)
	}
	return answer
}

func (rt *Runtime) answerRelease(from rack.MachineID, d *decoder) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	n, err := d.length(2)
	if err != nil {
		return nil, err
	}
	r := rt.enter(&rt.outside, id)
	if r == nil {
		return rt.away(id), nil
	}
	defer r.gate.uncount()
	for range n {
		slot, err := d.uint()
		if err != nil {
			return nil, err
		}
		seq, err := d.uint()
		if err != nil {
			return nil, err
		}
		r.once.release(from, uint32(slot), seq)
	}
	return []byte{answerDone}, nil
}
