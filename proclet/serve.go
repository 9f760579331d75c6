package proclet

import (
	"fmt"
	"slices"

	"nuos/proclet/internal/fiber"
	"nuos/rack"
)

// serve answers a message of another runtime. It runs on the poller of the NIC, and
// leaves to a goroutine what might have to wait. The message is lent.
func (rt *Runtime) serve(q rack.Request) {
	to := reply{machine: q.Caller}
	if !rt.callAtOnce(q.From, q.Data, to) {
		go rt.handle(q.From, slices.Clone(q.Data), to)
	}
}

// promptSize is how many bytes a message may have that is executed at once. It is copied once then,
// to where the method finds it; for a goroutine it would have to be copied before that, too.
const promptSize = 64<<10 + 1<<10

// callAtOnce starts the thread of a call if the message is one that need not wait
// for it: the proclet is here, its gate open, and a region for the thread at
// hand. Otherwise it does nothing and reports false.
func (rt *Runtime) callAtOnce(from rack.MachineID, msg []byte, to reply) bool {
	if len(msg) == 0 || len(msg) > promptSize || msg[0] != messageCall {
		return false
	}
	var room [fewCalls]ID
	d := &decoder{msg[1:]}
	m, err := d.call(room[:])
	if err != nil {
		return false
	}
	r := rt.find(m.id)
	if r == nil {
		return false
	}
	f := rt.spareFiber()
	if f == nil {
		return false
	}
	if !r.gate.enter(false) {
		threadOf(f).drop()
		return false
	}
	answer, err := r.begin(callID{from, m.slot, m.seq}, &m, d.b, f, to)
	if err != nil {
		answer = failed(err)
	}
	if answer != nil {
		to.give(answer)
	}
	return true
}

// answer executes a message and waits for the answer.
func (rt *Runtime) answer(from rack.MachineID, msg []byte) []byte {
	c := make(chan []byte, 1)
	if to := (reply{here: func(answer []byte) { c <- slices.Clone(answer) }}); !rt.callAtOnce(from, msg, to) {
		rt.handle(from, msg, to)
	}
	return <-c
}

// handle executes a message. Whatever the bytes are, there is an answer, now or
// later.
func (rt *Runtime) handle(from rack.MachineID, msg []byte, to reply) {
	answer, err := rt.execute(from, msg, to)
	if err != nil {
		answer = failed(err)
	}
	if answer != nil {
		to.give(answer)
	}
}

// execute executes a message. If it returns neither an answer nor an error, the
// answer comes later.
func (rt *Runtime) execute(from rack.MachineID, msg []byte, to reply) ([]byte, error) {
	d := &decoder{msg}
	kind, err := d.take(1)
	if err != nil {
		return nil, err
	}
	switch kind[0] {
	case messageCall:
		m, err := d.call(nil)
		if err != nil {
			return nil, err
		}
		return rt.answerCall(from, &m, d, to)
	case messageAwait:
		return rt.answerAwait(from, d, to)
	case messageResult:
		return rt.answerResult(d)
	case messageRelease:
		return rt.answerRelease(from, d)
	case messageCreate:
		return rt.answerCreate(from, d)
	case messageDestroy:
		id, err := d.id()
		if err != nil {
			return nil, err
		}
		return rt.answerDestroy(id)
	case messageCount:
		return rt.answerCount(from, d, to)
	case messageCancel:
		return rt.answerCancel(d)
	case messageReturn:
		return rt.answerReturn(d)
	case messageFind:
		return rt.answerFind(d)
	}
	return nil, fmt.Errorf("%w: kind %d", errMalformed, kind[0])
}

// away is the answer about a proclet that does not live here.
func (rt *Runtime) away(id ID) []byte {
	if at, ok := rt.departure(id); ok {
		return movedTo(answerMoved, at)
	}
	return []byte{answerUnknown}
}

// answerCall starts a thread that executes a call, unless it has been executed
// before.
func (rt *Runtime) answerCall(from rack.MachineID, m *callMessage, d *decoder, to reply) ([]byte, error) {
	caller := Thread{rt: rt.index, inside: m.inside}
	call := callID{from, m.slot, m.seq}
	r := rt.enterCalled(&caller, m.id, call)
	if r == nil {
		return rt.awayFrom(m.id, call), nil
	}
	return r.begin(call, m, d.b, nil, to)
}

// begin starts the thread of a call that has entered, with fiber f if that is not
// nil, unless the call has been executed before: then there may be an answer.
func (r *resident) begin(call callID, m *callMessage, wire []byte, f *fiber.Fiber, to reply) ([]byte, error) {
	interleave("a call is inside")
	answer, begun, err := r.once.begin(call, to)
	if !begun {
		if f != nil {
			threadOf(f).drop()
		}
		r.gate.uncount() // it was counted before
		return answer, err
	}
	interleave("a call is registered")
	if r.gate.sampled() {
		r.load.calledFrom(call.caller)
	}
	if err := r.startCall(call, m, wire, f); err != nil {
		answer = failed(err)
		asked := r.once.end(call, answer)
		r.gate.leave()
		asked.all(answer)
	}
	return nil, nil
}

// enterCalled is enter for a call that may have been begun before. It is let in
// to where it goes on even through a closed gate: a proclet that ends waits for
// the calls inside, and their callers get what these return.
func (rt *Runtime) enterCalled(t *Thread, id ID, call callID) *resident {
	for {
		r := rt.enterExpecting(id)
		if r == nil || !r.gate.closed() || r.once.knows(call) || t.isInside(id) && !r.sealed.Load() {
			return r
		}
		r.gate.uncount()
		if r.destroying.Load() {
			return nil // those inside may wait for this elsewhere, in a proclet that ends as well
		}
		r.gate.wait()
		interleave("a gate has changed")
	}
}

// startCall starts the thread of a call, which is counted by the gate and has an
// entry in the table. wire is the encoded argument.
func (r *resident) startCall(call callID, m *callMessage, wire []byte, f *fiber.Fiber) error {
	t, err := r.newThread(purpose{kind: rootCalled, call: call}, m.inside, f)
	if err != nil {
		return err
	}
	if err := t.isCalled(r, m, wire); err != nil {
		t.drop()
		return err
	}
	t.start(r)
	return nil
}

// isCalled makes a call what a new thread in r executes.
func (t *Thread) isCalled(r *resident, m *callMessage, wire []byte) error {
	sig, err := implementation[signature](m.sig, signatureOf[struct{}, struct{}, struct{}]{})
	if err != nil {
		return err
	}
	ct, err := typesOf(sig)
	if err != nil {
		return err
	}
	if ct.state != nil && ct.state != r.typ {
		return r.wrongState(ct)
	}
	if t.order.closure, err = m.method.closure(); err != nil {
		return err
	}
	t.order.fn = &t.order.closure
	t.root.sig = signatureTableOf(sig)
	t.setLeft(m.left)
	return t.order.with(t, wire)
}

// answerAwait answers with the answer of a call that was begun before: now, or
// when it has ended.
func (rt *Runtime) answerAwait(from rack.MachineID, d *decoder, to reply) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	n, err := d.uint()
	if err != nil {
		return nil, err
	}
	seq, err := d.uint()
	if err != nil || n > 1<<32-1 {
		return nil, fmt.Errorf("%w: slot %d", errMalformed, n)
	}
	call := callID{from, uint32(n), seq}
	r := rt.enterCalled(&rt.outside, id, call)
	if r == nil {
		return rt.awayFrom(id, call), nil
	}
	defer r.gate.uncount()
	return r.once.await(call, to), nil
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
