package proclet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"nuos/mm"
	"nuos/rack"
)

// Closer is what the pointer to a state type may implement: Close is called once,
// on the machine where the proclet lives then, when the proclet ends, because
// nobody holds it any more or with [Destroy]. No call is inside any more, none
// comes in, and the proclet does not move. When Close has returned, what the
// state holds is given back, and the memory as well. A panic in Close only ends
// Close.
type Closer interface {
	Close(t *Thread)
}

// Destroy ends a proclet that others may still hold: calls inside are waited for,
// waiting and later ones get ErrNoProclet, [Closer] is called, and the memory is
// given back. A method cannot destroy a proclet that its own chain of calls is
// inside of: that is ErrBusy. *PanicError if Close panicked. Destroy is a safe point.
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
	_, err := t.errand(func() (ID, error) { return ID{}, rt.destroy(id) }, nil)
	return err
}

func (rt *Runtime) destroy(id ID) error {
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
	r.gate.uncount()
	switch err := r.end(); err {
	case nil:
	case ErrNoProclet:
		return rt.away(id), nil
	default:
		return nil, err
	}
	interleave("a proclet is empty")
	rt.net.Forget(id.Gen, rack.Location{Machine: rt.self, Moves: r.moves})
	rt.keepUnsent(r)
	r.gate.end()
	err := r.finish()
	r.uncopy() // while it is found here
	r.unsettle()
	heap := r.heap.Range()
	r.destroyHeap()
	rt.returnHeap(id, heap)
	if err != nil {
		return nil, err
	}
	return []byte{answerDone}, nil
}

// end closes the gate for good, when nobody is inside any more. Calls come to their end
// first, for which they may need threads that were started in the proclet; then these
// end at their next safe point. From then on not even those calls get in that come back to
// where their chain is inside: they might wait for what a thread had that has ended.
func (r *resident) end() error {
	drained, err := r.gate.shut()
	if err != nil {
		return err
	}
	interleave("a proclet ends")
	r.destroying.Store(true)
	r.gate.nudge()
	interleave("everybody knows that a proclet ends")
	r.gate.until(r.onlyThreads)
	interleave("no call is inside")
	r.sealed.Store(true)
	defer r.sealed.Store(false)
	r.gate.until(r.onlyThreads) // one may have come back before it saw that
	r.ending.Store(true)
	r.mu.Lock()
	for z := r.head.frozen.first; z != nil; {
		next := z.next
		if z.started { // a call that has come back would only take the region that another part of its thread needs
			r.revive(z)
		}
		z = next
	}
	r.mu.Unlock()
	eachInside(r.id.Addr, func(t *Thread) { t.fiber.Kick() })
	return r.gate.empty(drained, -1, nil)
}

// onlyThreads reports whether those inside are threads that were started in the proclet.
// Such a thread is counted by the gate for longer than it is one of them.
func (r *resident) onlyThreads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gate.inside() <= r.head.started.n
}

// finish runs Close and gives back what the proclet holds. The gate is closed for
// ever, so that nobody else is inside, except calls that Close makes and that
// come back.
func (r *resident) finish() error {
	r.gate.word.Add(gateEntry)
	err := r.close()
	r.gate.uncount()
	r.gate.drain()
	r.giveBackAll()
	return err
}

// close has a thread call the state's Close.
func (r *resident) close() error {
	if !reflect.PointerTo(r.kind.reflectType()).Implements(reflect.TypeFor[Closer]()) {
		return nil
	}
	c := outsideCalls.Get().(*outsideCall)
	c.err, c.answer = nil, nil
	t, err := r.newThread(purpose{kind: rootOutside, outside: uintptr(unsafe.Pointer(c))}, nil, nil)
	if err != nil {
		return err
	}
	r.gate.word.Add(gateEntry)
	t.order.start = closing{}
	t.start(r)
	<-c.done
	if err = c.err; c.answer != nil && c.answer[0] == answerFailed {
		err = (&decoder{c.answer[1:]}).failure()
	}
	c.err, c.answer = nil, nil
	outsideCalls.Put(c)
	return err
}

// closing is the starter of Close.
type closing struct{}

func (closing) run(_ *closure, state unsafe.Pointer, t *Thread, _ unsafe.Pointer) {
	t.runtime().find(t.id).kind.close(state, t)
}

func (closing) argument() (*plan, error) { return nil, nil }

// drain waits until nobody is inside the closed gate.
func (g *gate) drain() {
	g.mu.Lock()
	drained := make(chan struct{})
	g.drained = drained
	if g.word.Load()&gateInside == 0 {
		closeOnce(drained)
	}
	g.mu.Unlock()
	<-drained
}

// returnHeap gives the addresses of a heap back to the machine that made the
// proclet, whose lease they are from. If that cannot be reached any more its
// leases are of no use to anybody.
func (rt *Runtime) returnHeap(id ID, heap mm.Range) {
	maker := makerOf(id)
	if maker == rt.self {
		rt.net.ReturnHeap(heap)
		return
	}
	b := binary.AppendUvarint(appendID([]byte{messageReturn}, id), heap.Size)
	go rt.net.Call(context.Background(), maker, rack.ServiceProclet, b)
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
	if makerOf(id) != rt.self || size < mm.MinHeap || size&(size-1) != 0 || id.Addr%size != 0 {
		return nil, fmt.Errorf("%w: %v of %d bytes returned", errMalformed, id, size)
	}
	rt.net.ReturnHeap(mm.Range{Base: mm.Virt(id.Addr), Size: size})
	return []byte{answerDone}, nil
}
