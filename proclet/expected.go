package proclet

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"nuos/rack"
)

// A thread that calls a proclet that is not here, or that is about to leave, does
// not wait for the network itself, because it may move meanwhile. A goroutine of
// this machine asks on its behalf, and has the answer delivered to wherever the
// thread's proclet is by then. What the thread waits for is an expected, in the
// heap of its proclet.

// expected is an answer that a thread waits for.
type expected struct {
	waiter
	link  *expected      // in its bucket
	agent rack.MachineID // the machine that asks for it
	seq   uint64         // what that calls it
	call  pendingCall    // if it is the answer to a call
	len   uint32         // of the answer; 0 until it is there
	long  unsafe.Pointer // the answer, if it is too long for short
	short [56]byte
}

func (e *expected) answer() []byte {
	if e.long != nil {
		return unsafe.Slice((*byte)(e.long), e.len)
	}
	return e.short[:e.len]
}

// expectations are what the threads of a proclet wait for, by seq. They are in the
// heap, guarded by resident.mu.
type expectations struct {
	buckets [16]*expected
}

func (x *expectations) bucket(seq uint64) **expected {
	return &x.buckets[seq%uint64(len(x.buckets))]
}

// find returns the link that points to an expected, or to nil.
func (x *expectations) find(agent rack.MachineID, seq uint64) **expected {
	p := x.bucket(seq)
	for *p != nil && ((*p).agent != agent || (*p).seq != seq) {
		p = &(*p).link
	}
	return p
}

// expect makes an expected of a thread t whose innermost method is in r.
func (r *resident) expect(t *Thread, seq uint64) (*expected, error) {
	p, err := r.heap.AllocReserved(uint64(unsafe.Sizeof(expected{})))
	if err != nil {
		return nil, err
	}
	e := (*expected)(p)
	*e = expected{agent: r.rt.self, seq: seq}
	e.waiter.init(t, r.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.head.expectations.bucket(seq)
	e.link, *b = *b, e
	return e, nil
}

// forget is the inverse of expect.
func (r *resident) forget(e *expected) {
	r.mu.Lock()
	*r.head.expectations.find(e.agent, e.seq) = e.link
	r.mu.Unlock()
	if e.long != nil {
		r.heap.Free(e.long)
	}
	r.heap.Free(unsafe.Pointer(e))
}

// send has an agent send a call, and returns what to collect its answer with.
func (t *Thread) send(id ID, ct *callTypes, fn *closure, arg unsafe.Pointer) (*expected, error) {
	rt := t.runtime()
	a := newAgent()
	sl, msg, err := rt.callMessage(t, id, ct, fn, arg, a.room)
	if err != nil {
		return nil, err
	}
	e, err := rt.find(t.id).expect(t, sl.seq)
	if err != nil {
		rt.slots.put(id, sl)
		return nil, err
	}
	rt.find(t.id).noteCall(e, pendingCall{to: id, slot: sl.number, of: t.root.call})
	if t.root.kind == rootCalled && t.cancelled() { // since it was looked at last
		rt.find(t.id).passOn(t.root.call)
	}
	a.rt, a.id, a.sent, a.msg, a.to = rt, id, sl, msg, t.id
	a.start()
	return e, nil
}

// identify gives a call that is inside the proclet id, which is here, an identity.
// then is called once, and must not wait, with the answer, wherever the proclet has
// gone by then. The call has its request from the beginning: when the answer is there
// it may be too late to ask for it, because the proclet has ended.
func (rt *Runtime) identify(id ID, then func(seq uint64, answer []byte)) (callID, error) {
	sl := rt.slots.take(id)
	call := callID{rt.self, sl.number, sl.seq}
	_, _, err := rt.find(id).once.begin(call, reply{here: func(answer []byte) {
		if answer[0] == answerFollow {
			go rt.follow(id, sl, then)
			return
		}
		rt.slots.put(id, sl)
		then(sl.seq, slices.Clone(answer))
	}})
	if err != nil {
		rt.slots.put(id, sl)
	}
	return call, err
}

// follow asks for the answer of a call that was begun before.
func (rt *Runtime) follow(id ID, sl slot, then func(seq uint64, answer []byte)) {
	interleave("a caller is sent after a call")
	b := appendID([]byte{messageAwait}, id)
	answer, err := rt.askOnce(id, sl, binary.AppendUvarint(binary.AppendUvarint(b, uint64(sl.number)), sl.seq))
	if err != nil {
		answer = failed(err)
	}
	then(sl.seq, answer)
}

// answerResult hands an answer to the thread that expects it. If that has it
// already nothing happens.
func (rt *Runtime) answerResult(d *decoder) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	agent, err := d.uint()
	if err != nil {
		return nil, err
	}
	seq, err := d.uint()
	if err != nil || agent > 1<<32-1 || len(d.b) == 0 {
		return nil, fmt.Errorf("%w: result of machine %d", errMalformed, agent)
	}
	r := rt.enterExpecting(id)
	if r == nil {
		return rt.away(id), nil
	}
	defer r.gate.uncount()
	r.fulfil(rack.MachineID(agent), seq, d.b)
	return []byte{answerDone}, nil
}

// enterExpecting is enter for somebody who brings what those inside wait for: he
// is let in through a closed gate as long as there are any.
func (rt *Runtime) enterExpecting(id ID) *resident {
	for {
		r := rt.find(id)
		if r == nil {
			if !rt.awaitArrival(id) {
				return nil
			}
			continue
		}
		if r.gate.enter(true) {
			return r
		}
		r.gate.wait()
		if r.gate.isEnded() && rt.find(id) == r {
			return nil // it is being destroyed
		}
	}
}

// fulfil gives a thread the answer that it expects, if it does. The caller is
// inside.
func (r *resident) fulfil(agent rack.MachineID, seq uint64, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := *r.head.expectations.find(agent, seq)
	if e == nil || e.len != 0 {
		return
	}
	to := e.short[:]
	if len(answer) > len(to) {
		if p, err := r.heap.AllocReservedBytes(uint64(len(answer))); err == nil {
			e.long, to = p, unsafe.Slice((*byte)(p), len(answer))
		} else {
			answer = []byte{answerGone}
		}
	}
	e.len = uint32(copy(to, answer))
	r.wake(&e.waiter)
}

// awaitAnswer waits for e's answer. It is a safe point. It polls a little before it
// parks, but not on the last pages of the stack, where those who get
// what arrives might find no room.
func (t *Thread) awaitAnswer(e *expected) {
	if !alwaysMoving && t.room() >= minRoom {
		t.runtime().net.Linger(&e.woken)
	}
	t.blockFor(e, t.deadline())
}

// blockFor waits for an answer. A thread that is to end does so instead.
func (t *Thread) blockFor(e *expected, deadline clock) {
	t.block(&e.waiter, deadline)
	if e.ended {
		t.runtime().find(t.id).forgetAll(t)
		runtime.Goexit()
	}
}

// forgetAll forgets what t, which ends, expects.
func (r *resident) forgetAll(t *Thread) {
	var all []*expected
	r.mu.Lock()
	for _, e := range r.head.expectations.buckets {
		for ; e != nil; e = e.link {
			if e.thread == t {
				all = append(all, e)
			}
		}
	}
	r.mu.Unlock()
	for _, e := range all {
		r.forget(e)
	}
}

// collect waits for the answer that t expects and decodes it.
func (t *Thread) collect(e *expected, sig signature, res unsafe.Pointer) error {
	t.awaitAnswer(e)
	r := t.runtime().find(t.id)
	ct, err := typesOf(sig)
	if err != nil {
		r.forget(e)
		return err
	}
	return t.accepted(r, e, ct, res)
}

// accepted decodes the answer that t expected, if it is there: otherwise it comes
// too late.
func (t *Thread) accepted(r *resident, e *expected, ct *callTypes, res unsafe.Pointer) error {
	defer r.forget(e)
	r.mu.Lock()
	answered := e.len != 0
	r.mu.Unlock()
	if !answered {
		return errLate
	}
	return t.accept(e.answer(), ct, res)
}

// orphan answers what a dead machine was asked for: nobody knows what became of
// those calls.
func (r *resident) orphan(dead func(rack.MachineID) bool) {
	var due []*expected
	r.mu.Lock()
	for _, e := range r.head.expectations.buckets {
		for ; e != nil; e = e.link {
			if e.len == 0 && dead(e.agent) {
				due = append(due, e)
			}
		}
	}
	r.mu.Unlock()
	if due == nil {
		return
	}
	answer := failed(fmt.Errorf("%w: %w", ErrMaybeExecuted, ErrLost))
	for _, e := range due {
		r.fulfil(e.agent, e.seq, answer)
	}
}
