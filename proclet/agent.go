package proclet

import (
	"encoding/binary"
	"slices"
	"sync"

	"nuos/rack"
)

// agent asks on behalf of a thread: it sends a message that has an identity, and
// has the answer delivered to wherever the thread's proclet is by then.
type agent struct {
	rt   *Runtime
	id   ID // who is asked
	sent slot
	msg  []byte
	to   ID // the thread's proclet

	at   rack.Location // of who is asked, if start asks
	done func(answer []byte, err error)
	room []byte // for msg
}

// Agents are used again when what they wait for comes as it usually does.
var agents = sync.Pool{New: func() any { return new(agent) }}

func newAgent() *agent {
	a := agents.Get().(*agent)
	if a.done == nil {
		a.done = a.heard
		a.room = make([]byte, 0, messageRoom)
	}
	return a
}

// free is called when nobody reads the message any more.
func (a *agent) free() {
	if cap(a.msg) <= keptRoom {
		a.room = a.msg[:0]
	}
	a.msg = nil
	agents.Put(a)
}

// start sends the message and returns. Usually the machine where the proclet lives
// is known, and answers: then nobody waits but the thread. Otherwise a goroutine
// goes on.
func (a *agent) start() {
	var ok bool
	a.at, ok = a.rt.net.Located(a.id.Gen)
	if !ok || a.at.Machine == a.rt.self || !a.rt.net.Begin(a.at.Machine, rack.ServiceProclet, a.msg, a.done) {
		go a.ask()
	}
}

// heard gets what the machine has said that start has asked. It runs on the poller
// of the NIC; answer is lent.
func (a *agent) heard(answer []byte, err error) {
	if err != nil || !final(answer) || len(answer) > promptSize {
		go a.goOn(slices.Clone(answer), err)
		return
	}
	a.rt.asked(a.id, a.sent, false, nil)
	if r := a.rt.find(a.to); r != nil && r.gate.enter(true) {
		interleave("an answer is inside")
		r.fulfil(a.rt.self, a.sent.seq, answer)
		r.gate.uncount()
		a.free()
		return
	}
	go a.rt.deliverAnswer(a.to, a.sent.seq, slices.Clone(answer))
}

// goOn is what start leaves to a goroutine.
func (a *agent) goOn(answer []byte, err error) {
	s := search{rt: a.rt, id: a.id, last: a.at, seen: a.at.Moves + 1}
	over, err := s.heard(answer, err)
	if !over {
		answer, err = s.ask(a.msg)
	}
	a.end(answer, s.strays, err)
}

// ask asks until there is an answer, or no hope.
func (a *agent) ask() {
	s := a.rt.search(a.id, a.msg)
	answer, err := s.ask(a.msg)
	a.end(answer, s.strays, err)
}

func (a *agent) end(answer []byte, strays bool, err error) {
	a.rt.asked(a.id, a.sent, strays, err)
	if err != nil {
		answer = failed(err)
	}
	a.rt.deliverAnswer(a.to, a.sent.seq, answer)
}

// deliverAnswer has an answer delivered to the proclet to, where it is what this
// machine calls seq. It does not give up while there may be somebody who waits: an error
// says that there is nobody any more.
func (rt *Runtime) deliverAnswer(to ID, seq uint64, answer []byte) error {
	if r := rt.enterExpecting(to); r != nil { // the usual case
		interleave("an answer is inside")
		r.fulfil(rt.self, seq, answer)
		r.gate.uncount()
		return nil
	}
	b := appendID([]byte{messageResult}, to)
	b = binary.AppendUvarint(b, uint64(rt.self))
	b = binary.AppendUvarint(b, seq)
	_, err := rt.ask(to, append(b, answer...))
	return err
}
