package proclet

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Go starts a call and returns at once, or waits if this machine has too many such
// calls on their way. arg has been copied when Go returns. The call counts as part
// of t's chain of calls, and has the deadline of t's method.
//
// The Future lies in Go's heap: a method that holds one does not move. [CallMany] is for
// methods that do.
func Go[S, A, R any](t *Thread, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) *Future[R] {
	return newFuture[R](t.begin(ref.id, signatureOf[S, A, R]{}, closureOf(unsafe.Pointer(&method)), noescape(unsafe.Pointer(&arg))))
}

// GoWithin is [Go] with a deadline d from now, or that of t's method if that is
// earlier; see [CallWithin].
func GoWithin[S, A, R any](t *Thread, d time.Duration, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) *Future[R] {
	if t.heap == nil {
		t = &Thread{rt: t.rt, inside: t.inside} // that of ordinary goroutines is everybody's
	}
	before := t.narrow(d)
	a, err := t.begin(ref.id, signatureOf[S, A, R]{}, closureOf(unsafe.Pointer(&method)), noescape(unsafe.Pointer(&arg)))
	t.until = before
	return newFuture[R](a, err)
}

// Future is the result, to come, of a call started with [Go].
type Future[R any] struct {
	done  chan struct{}
	res   *R // in Go's heap; nil if there is an error
	err   error
	given *atomic.Bool // what res holds has been given to a thread

	cancel    sync.Once
	cancelled chan struct{}

	// The identity of the call, if it was made.
	rt   *Runtime
	to   ID
	sent slot
}

func newFuture[R any](a *asynchronous, err error) *Future[R] {
	f := &Future[R]{done: make(chan struct{}), cancelled: make(chan struct{})}
	if err != nil {
		f.err = err
		close(f.done)
		return f
	}
	f.rt, f.to, f.sent = a.rt, a.id, a.sent
	go func() {
		defer close(f.done)
		defer a.end()
		answer, err := a.rt.askOnce(a.id, a.sent, a.msg)
		caller, res := &Thread{rt: a.rt.index, loose: true}, new(R)
		if err == nil {
			err = caller.accept(answer, a.ct, unsafe.Pointer(res))
		}
		if f.err = err; err == nil {
			f.keep(a.rt, a.ct.res, res)
		}
	}()
	return f
}

// Wait waits for the call to end and returns what [Call] would have returned. It
// may be called more than once, and by several threads; each gets its own copy.
func (f *Future[R]) Wait(t *Thread) (res R, err error) {
	select {
	case <-f.done:
	case <-f.cancelled:
		return res, errGivenUp
	}
	return f.get(t)
}

// waitFor is Wait, for d at the longest.
func (f *Future[R]) waitFor(t *Thread, d time.Duration) (res R, err error) {
	select {
	case <-f.done: // perhaps because it was late already
		return f.get(t)
	default:
	}
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-f.done:
		return f.get(t)
	case <-timer.C:
		return res, errLate
	}
}

func (f *Future[R]) get(t *Thread) (res R, err error) {
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
func (f *Future[R]) keep(rt *Runtime, p *plan, res *R) {
	f.res = res
	if !p.counted {
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
