package proclet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"nuos/mm"
	"nuos/rack"
)

// Destroy ends a proclet: calls inside are waited for, waiting and later ones
// get ErrNoProclet, and its memory is given back. A method cannot destroy a
// proclet that its own chain of calls is inside of: that is ErrBusy.
func Destroy[S any](t *Thread, ref Ref[S]) error { return t.destroy(ref.id) }

// Destroy ends the proclet with this ID. See the function [Destroy].
func (rt *Runtime) Destroy(id ID) error { return rt.outside.destroy(id) }

func (t *Thread) destroy(id ID) error {
	if t.isInside(id) {
		return ErrBusy
	}
	if id.IsZero() {
		return ErrNoProclet
	}
	rt := t.runtime()
	for {
		answer, err := rt.ask(id, appendID([]byte{messageDestroy}, id))
		if err != nil {
			return err
		}
		if answer[0] == answerFailed {
			err := (&decoder{answer[1:]}).failure()
			if errors.Is(err, ErrBusy) {
				continue // it was about to leave; wait for it there
			}
			return err
		}
		return nil
	}
}

// answerDestroy destroys a proclet if it lives here.
func (rt *Runtime) answerDestroy(id ID) ([]byte, error) {
	r := rt.enter(&rt.outside, id) // waits if it is just leaving or arriving
	if r == nil {
		return rt.away(id), nil
	}
	r.gate.leave()
	switch err := r.gate.close(-1); err {
	case nil:
	case ErrNoProclet:
		return rt.away(id), nil
	default:
		return nil, err
	}
	rt.net.Forget(id.Gen)
	r.unsettle()
	r.gate.end()
	heap := r.heap.Range()
	r.destroyHeap()
	rt.returnHeap(id, heap)
	return []byte{answerDone}, nil
}

// returnHeap gives the addresses of a heap back to the machine that made the
// proclet, whose lease they are from. If that cannot be reached any more its
// leases are of no use to anybody.
func (rt *Runtime) returnHeap(id ID, heap mm.Range) {
	maker := rack.MachineID(id.Gen >> 32)
	if maker == rt.self {
		rt.net.ReturnHeap(heap)
		return
	}
	b := binary.AppendUvarint(appendID([]byte{messageReturn}, id), heap.Size)
	go rt.send(maker, b)
}

func (rt *Runtime) answerReturn(d *decoder) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	size, err := d.uint()
	if err != nil {
		return nil, err
	}
	if rack.MachineID(id.Gen>>32) != rt.self || size < mm.MinHeap || size&(size-1) != 0 || id.Addr%size != 0 {
		return nil, fmt.Errorf("%w: %v of %d bytes returned", errMalformed, id, size)
	}
	rt.net.ReturnHeap(mm.Range{Base: mm.Virt(id.Addr), Size: size})
	return []byte{answerDone}, nil
}

// send sends a message that is for a machine and not for a proclet, and returns
// what follows answerDone.
func (rt *Runtime) send(m rack.MachineID, msg []byte) ([]byte, error) {
	answer, err := rt.net.Call(context.Background(), m, rack.ServiceProclet, msg)
	if err != nil {
		return nil, err
	}
	d := &decoder{answer}
	tag, err := d.take(1)
	switch {
	case err != nil:
		return nil, err
	case tag[0] == answerFailed:
		return nil, d.failure()
	case tag[0] != answerDone:
		return nil, fmt.Errorf("%w: answer %d", errMalformed, tag[0])
	}
	return d.b, nil
}
