package proclet

import (
	"runtime"
	"sync"
	"unsafe"
)

// outsideCall is a call of a local proclet by an ordinary goroutine, which waits
// for the thread that executes it. Argument and result are in Go's heap, and kept
// by the goroutine.
type outsideCall struct {
	arg, res unsafe.Pointer
	err      error
	done     chan struct{}
	answer   []byte // set if the thread has become a call with an identity
}

var outsideCalls = sync.Pool{New: func() any { return &outsideCall{done: make(chan struct{}, 1)} }}

// callOutside calls a method for an ordinary goroutine.
func (t *Thread) callOutside(id ID, sig signature, fn *closure, arg, res unsafe.Pointer) error {
	ct, err := typesOf(sig)
	if err != nil {
		return err
	}
	if _, err := identify(fn); err != nil {
		return err
	}
	rt := t.runtime()
	r := rt.enter(t, id)
	if r == nil {
		return rt.callRemote(t, id, ct, fn, arg, res)
	}
	interleave("a call is inside")
	if r.gate.sampled() {
		r.load.calledFrom(rt.self)
	}
	if ct.state != nil && ct.state != r.typ {
		r.gate.leave()
		return r.wrongState(ct)
	}
	c := outsideCalls.Get().(*outsideCall)
	c.arg, c.res, c.err, c.answer = arg, res, nil, nil
	n, err := r.newThread(purpose{kind: rootOutside, outside: uintptr(unsafe.Pointer(c)), sig: signatureTableOf(sig)}, t.inside, nil)
	if err != nil {
		r.gate.leave()
		return err
	}
	n.order.to(fn)
	n.start(r)
	<-c.done
	err = c.err
	runtime.KeepAlive(c)
	if c.answer != nil {
		err = t.accept(c.answer, ct, res)
	} else if err == nil {
		err = t.receive(ct.res, res)
	}
	c.arg, c.res, c.err, c.answer = nil, nil, nil, nil
	outsideCalls.Put(c)
	return err
}
