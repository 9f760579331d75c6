package proclet

import (
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
	if err != nil {
		f.err = err
		close(f.done)
		return f
	}
	caller := &Thread{rt: t.rt, inside: append([]ID(nil), t.path()...)}
	go func() {
		defer close(f.done)
		f.err = &PanicError{Value: "the method ended its goroutine"} // unless Call returns
		f.res, f.err = Call(caller, ref, method, *own)
	}()
	return f
}

// Future is the result, to come, of a call started with [Go].
type Future[R any] struct {
	done chan struct{}
	res  R // in Go's heap
	err  error
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
	a, err := t.results(p.measure(unsafe.Pointer(&f.res)))
	if err != nil {
		return res, err
	}
	own := new(R)
	err = p.copy(unsafe.Pointer(own), unsafe.Pointer(&f.res), &a)
	return *own, err
}

// Done returns a channel that is closed when the call has ended.
func (f *Future[R]) Done() <-chan struct{} { return f.done }
