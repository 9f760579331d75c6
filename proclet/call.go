package proclet

import (
	"unsafe"
)

// Call calls a method of the proclet that ref refers to, wherever it lives, and
// waits for the result:
//
//	n, err := proclet.Call(t, ref, (*Counter).Add, "requests")
//
// arg is copied into the proclet's heap and is there only until the method
// returns; the result is copied back. The result of a call that a method makes
// lives until that method returns. A method's error reaches the caller as text,
// see [MethodError]; with an error the result is the zero value.
//
// The method is executed exactly once, or the error is one of ErrNoProclet,
// ErrLost and ErrMaybeExecuted. Other errors: ErrType if argument or result
// cannot be copied, ErrMethod, ErrHeapFull if there is no room for the argument
// or the result, and *PanicError.
func Call[S, A, R any](t *Thread, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) (res R, err error) {
	ct, err := typesOf(signatureOf[S, A, R]{})
	if err != nil {
		return res, err
	}
	fn := *(**closure)(unsafe.Pointer(&method))
	if ct.arg.inGo || ct.res.inGo {
		// Copying takes reflection, which may keep the addresses.
		a, r := new(A), new(R)
		*a = arg
		err = t.call(ref.id, ct, fn, unsafe.Pointer(a), unsafe.Pointer(r))
		return *r, err
	}
	err = t.call(ref.id, ct, fn, noescape(unsafe.Pointer(&arg)), noescape(unsafe.Pointer(&res)))
	return res, err
}

// call calls the method whose closure is fn.
func (t *Thread) call(id ID, ct *callTypes, fn *closure, arg, res unsafe.Pointer) error {
	if !image.constant(uintptr(unsafe.Pointer(fn)), 8) {
		if _, err := identify(fn); err != nil {
			return err
		}
	}
	rt := t.runtime()
	r := rt.find(id)
	if r == nil || !r.gate.enter(false) {
		if r = rt.enter(t, id); r == nil {
			return rt.callRemote(t, id, ct, fn, arg, res)
		}
	}
	return r.callLocal(t, ct, fn, arg, res)
}

// enter enters the proclet if it lives on this machine, and waits if its gate is
// closed. It returns nil if it is to be looked for elsewhere.
func (rt *Runtime) enter(t *Thread, id ID) *resident {
	comesBack := t.isInside(id)
	for {
		r := rt.find(id)
		if r == nil {
			if !rt.awaitArrival(id) {
				return nil
			}
			continue
		}
		if r.gate.enter(comesBack) {
			return r
		}
		r.gate.wait()
		if r.gate.isEnded() && rt.find(id) == r {
			return nil // it is being destroyed
		}
	}
}

// callLocal calls a method of r, which the caller has entered, and leaves it.
func (r *resident) callLocal(t *Thread, ct *callTypes, fn *closure, arg, res unsafe.Pointer) error {
	defer r.gate.leave()
	if ct.state != nil && ct.state != r.typ {
		return r.wrongState(ct)
	}
	callee, a, err := r.begin(t.inside, t.id, room(ct.arg.size)+room(ct.res.size)+ct.arg.measure(arg))
	if err != nil {
		return err
	}
	defer callee.end()
	in, out := a.alloc(ct.arg, 1), a.alloc(ct.res, 1)
	if err := ct.arg.copy(in, arg, &a); err != nil {
		return err
	}
	if err := r.run(ct, fn, callee, in, out); err != nil {
		return err
	}
	if err := callee.handOver(ct.res, out); err != nil {
		return export(err)
	}
	ra, err := t.results(ct.res.measure(out))
	if err == nil {
		err = ct.res.copy(res, out, &ra)
	}
	if err != nil {
		r.rt.abandon(ct.res, out)
		return err
	}
	return t.receive(ct.res, res)
}

// run calls the method and turns a panic into an error.
func (r *resident) run(ct *callTypes, fn *closure, t *Thread, in, out unsafe.Pointer) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil { // otherwise the goroutine ends here: runtime.Goexit
			err = newPanicError(v)
		}
	}()
	if err = ct.sig.apply(fn, r.state, t, in, out); err != nil {
		err = export(err)
	}
	returned = true
	return err
}

// noescape hides p from the compiler's escape analysis. That is sound here
// because p, which points into the caller's frame, is only ever kept in frames
// of functions that the caller waits for, as a pointer, so that it is adjusted
// when the stack moves.
//
//go:nosplit
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}
