package proclet

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Go starts a call and returns at once. arg has been copied when Go returns.
// The call counts as part of t's chain of calls.
func Go[S, A, R any](t *Thread, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) *Future[R] {
	f := &Future[R]{done: make(chan struct{})}
	own := new(A) // the argument, for a goroutine that may run after t's method has ended
	p, err := planFor[A]()
	if err == nil {
		err = p.copy(unsafe.Pointer(own), unsafe.Pointer(&arg), &arena{})
	}
	var l *loan
	if err == nil {
		l, err = t.lend(ref.id, p, unsafe.Pointer(own))
	}
	if err != nil {
		f.err = err
		close(f.done)
		return f
	}
	caller := &Thread{rt: t.rt, inside: append([]ID(nil), t.path()...), loose: true}
	go func() {
		defer close(f.done)
		f.err = &PanicError{Value: "the method ended its goroutine"} // unless Call returns
		defer l.end()
		res, err := Call(caller, ref, method, *own)
		f.err = err
		if err == nil {
			f.keep(caller.runtime(), &res)
		}
	}()
	return f
}

// Future is the result, to come, of a call started with [Go].
type Future[R any] struct {
	done  chan struct{}
	res   *R // in Go's heap; nil if there is an error
	err   error
	given *atomic.Bool // what res holds has been given to a thread
}

// Wait waits for the call to end and returns what [Call] would have returned. It
// may be called more than once, and by several threads; each gets its own copy.
func (f *Future[R]) Wait(t *Thread) (res R, err error) {
	<-f.done
	if f.err != nil {
		return res, f.err
	}
	p, err := planFor[R]()
	if err != nil {
		return res, err
	}
	a, err := t.results(p.measure(unsafe.Pointer(f.res)))
	if err != nil {
		return res, err
	}
	own := new(R)
	if err = p.copy(unsafe.Pointer(own), unsafe.Pointer(f.res), &a); err != nil {
		return res, err
	}
	if p.counted && f.given.CompareAndSwap(false, true) {
		err = t.receive(p, unsafe.Pointer(own))
	} else {
		err = p.own(t, unsafe.Pointer(own))
	}
	return *own, err
}

// keep makes f the holder of what the result of its call holds, until a thread
// gets it or nobody waits for f any more.
func (f *Future[R]) keep(rt *Runtime, res *R) {
	f.res = res
	p, err := planFor[R]()
	if err != nil || !p.counted {
		return
	}
	type kept struct {
		res   *R
		given *atomic.Bool
	}
	f.given = new(atomic.Bool)
	runtime.AddCleanup(f, func(k kept) {
		if k.given.CompareAndSwap(false, true) {
			rt.abandon(p, unsafe.Pointer(k.res))
		}
	}, kept{res, f.given})
}

// Done returns a channel that is closed when the call has ended.
func (f *Future[R]) Done() <-chan struct{} { return f.done }
