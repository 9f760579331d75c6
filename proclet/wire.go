package proclet

import (
	"encoding/binary"
	"fmt"

	"nuos/rack"
)

// Messages between runtimes. All numbers are varints, except in the head of a call, where they
// have a fixed size, because calls are what must be quick.
//
//	call     identity, method, time left, the proclets that the chain of calls is inside of, argument
//	release  proclet, answers that are not needed any more
//	create   the proclet, state type, capacity, whether it is pinned
//	destroy  proclet
//	await    identity of a call that was begun before; its answer
//	result   proclet, what expects it, an answer
//	count    identity, proclet, object, change of its count, whether the chain of calls is inside
//	cancel   identity of a call whose result nobody wants any more; whether it is known
//	return   address and capacity of a heap that is no more, to the machine whose lease it was
//	find     proclet; whether it lives there, or where it went
const (
	messageCall = iota + 1
	messageRelease
	messageCreate
	messageDestroy
	messageReturn
	messageCount
	messageAwait
	messageResult
	messageCancel
	messageFind
)

// How an answer begins.
const (
	answerDone    = iota + 1 // then the result
	answerFailed             // then the error
	answerMoved              // then where to: not executed
	answerFollow             // then where to: being executed, or executed, there
	answerUnknown            // the machine does not know the proclet: not executed
	answerGone               // executed, but the answer was not kept
)

// maxInside is how deep a chain of calls may be.
const maxInside = 1000

// callMessage is the head of a call; the argument follows.
type callMessage struct {
	id     ID
	slot   uint32
	seq    uint64
	method methodID
	sig    offset
	left   uint64 // nanoseconds until the deadline, rounded up; 0: none
	inside []ID
}

// fewCalls is how deep chains of calls usually are.
const fewCalls = 8

func appendID(b []byte, id ID) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, id.Addr), id.Gen)
}

func appendFlag(b []byte, f bool) []byte {
	if f {
		return append(b, 1)
	}
	return append(b, 0)
}

// callHead is how many bytes of a call come before the chain of calls.
const callHead = 8*8 + 1

func (m *callMessage) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, messageCall)
	for _, v := range [...]uint64{m.id.Addr, m.id.Gen, m.seq, uint64(m.method.code), uint64(m.method.dict), uint64(m.sig), m.left} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(le.AppendUint32(b, m.slot), uint32(len(m.inside)))
	for _, id := range m.inside {
		b = le.AppendUint64(le.AppendUint64(b, id.Addr), id.Gen)
	}
	return b
}

func (d *decoder) id() (id ID, err error) {
	if id.Addr, err = d.uint(); err == nil {
		id.Gen, err = d.uint()
	}
	return id, err
}

// call decodes what append has encoded, its first byte excepted, the chain of calls
// into room if it fits. The argument is what remains.
func (d *decoder) call(room []ID) (m callMessage, err error) {
	h, err := d.take(callHead - 1)
	if err != nil {
		return m, err
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(h[8*i:]) }
	m = callMessage{
		id: ID{word(0), word(1)}, seq: word(2), method: methodID{offset(word(3)), offset(word(4))}, sig: offset(word(5)), left: word(6),
		slot: uint32(word(7)),
	}
	n := uintptr(word(7) >> 32)
	if n > maxInside {
		return m, fmt.Errorf("%w: %d calls deep", errMalformed, n)
	}
	if h, err = d.take(16 * n); err != nil {
		return m, err
	}
	m.inside = room[:0]
	for i := range int(n) {
		m.inside = append(m.inside, ID{word(2 * i), word(2*i + 1)})
	}
	return m, nil
}

// movedTo is the answer answerMoved or answerFollow.
func movedTo(how byte, at rack.Location) []byte {
	b := []byte{how}
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(at.Machine)), at.Moves)
}

func (d *decoder) location() (at rack.Location, err error) {
	m, err := d.uint()
	if err == nil {
		at.Moves, err = d.uint()
	}
	if m > 1<<32-1 {
		return at, errMalformed
	}
	at.Machine = rack.MachineID(m)
	return at, err
}

func failed(err error) []byte { return appendFailure([]byte{answerFailed}, export(err)) }
