package proclet

import (
	"encoding/binary"
	"fmt"

	"nuos/rack"
)

// Messages between runtimes. All numbers are varints.
//
//	call     identity, method, time left, the proclets that the chain of calls is inside of, argument
//	release  proclet, answers that are not needed any more
//	create   the proclet, state type, capacity, whether it is pinned
//	destroy  proclet
//	await    identity of a call that was begun before; its answer
//	result   proclet, what expects it, an answer
//	count    identity, proclet, object, change of its count, whether the chain of calls is inside
//	cancel   identity of a call whose result nobody wants any more
//	return   address and capacity of a heap that is no more, to the machine whose lease it was
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

func appendID(b []byte, id ID) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, id.Addr), id.Gen)
}

func appendFlag(b []byte, f bool) []byte {
	if f {
		return append(b, 1)
	}
	return append(b, 0)
}

func (m *callMessage) append(b []byte) []byte {
	b = append(b, messageCall)
	b = appendID(b, m.id)
	for _, v := range [...]uint64{uint64(m.slot), m.seq, uint64(m.method.code), uint64(m.method.dict), uint64(m.sig), m.left, uint64(len(m.inside))} {
		b = binary.AppendUvarint(b, v)
	}
	for _, id := range m.inside {
		b = appendID(b, id)
	}
	return b
}

func (d *decoder) id() (id ID, err error) {
	if id.Addr, err = d.uint(); err == nil {
		id.Gen, err = d.uint()
	}
	return id, err
}

// call decodes what append has encoded, its first byte excepted. The argument is
// what remains.
func (d *decoder) call() (m callMessage, err error) {
	if m.id, err = d.id(); err != nil {
		return m, err
	}
	var v [7]uint64
	for i := range v {
		if v[i], err = d.uint(); err != nil {
			return m, err
		}
	}
	if v[0] > 1<<32-1 || v[6] > maxInside || v[6] > uint64(len(d.b)) {
		return m, fmt.Errorf("%w: slot %d, %d calls deep", errMalformed, v[0], v[6])
	}
	m.slot, m.seq, m.method, m.sig = uint32(v[0]), v[1], methodID{offset(v[2]), offset(v[3])}, offset(v[4])
	m.left = v[5]
	for range v[6] {
		id, err := d.id()
		if err != nil {
			return m, err
		}
		m.inside = append(m.inside, id)
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
