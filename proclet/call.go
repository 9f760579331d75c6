package proclet

import (
	"runtime"
	"unsafe"

	"nuos/proclet/internal/fiber"
)

// Call calls a method of the proclet that ref refers to, wherever it lives, and
// waits for the result:
//
//	n, err := proclet.Call(t, ref, (*Counter).Add, "requests")
//
// arg is copied into memory that is there until the method returns and moves with
// it; the result is copied back. The result of a call that a method makes lives
// until that method returns, see [Thread.Scope]. A method's error reaches the
// caller as text, see [MethodError]; with an error the result is the zero value.
//
// The method is executed exactly once, or the error is one of ErrNoProclet,
// ErrLost and ErrMaybeExecuted. Other errors: ErrType if argument or result
// cannot be copied, ErrMethod, ErrHeapFull or ErrStackFull if there is no room for
// the argument or the result, ErrTooManyThreads, ErrExited, and *PanicError.
//
// Call is a safe point: the calling thread may go on on another machine.
func Call[S, A, R any](t *Thread, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) (res R, err error) {
	return invoke[A, R](t, ref.id, signatureOf[S, A, R]{}, closureOf(unsafe.Pointer(&method)), arg)
}

// closureOf returns what the func value at p points to. Hidden from escape
// analysis, so that a method expression that generic code has made lies in its
// maker's frame, and does not keep the thread from moving. That is sound because
// whoever keeps a closure beyond its call copies it; see order.to and callHere.
func closureOf(p unsafe.Pointer) *closure { return *(**closure)(noescape(p)) }

// invoke calls the method whose closure is fn and whose types are sig's.
func invoke[A, R any](t *Thread, id ID, sig signature, fn *closure, arg A) (res R, err error) {
	if t.heap != nil && fiber.Movable {
		err = t.call(id, sig, fn, noescape(unsafe.Pointer(&arg)), noescape(unsafe.Pointer(&res)))
		return res, err
	}
	return invokeShared[A, R](t, id, sig, fn, arg)
}

// invokeShared is invoke for a caller whose stack may be moved, by the Go runtime,
// while others write to it.
func invokeShared[A, R any](t *Thread, id ID, sig signature, fn *closure, arg A) (R, error) {
	a, r := new(A), new(R)
	*a = arg
	var err error
	if t.heap == nil {
		err = t.callOutside(id, sig, fn, unsafe.Pointer(a), unsafe.Pointer(r))
	} else {
		err = t.call(id, sig, fn, unsafe.Pointer(a), unsafe.Pointer(r))
	}
	runtime.KeepAlive(a)
	return *r, err
}

// call calls a method of another proclet from one that t executes.
func (t *Thread) call(id ID, sig signature, fn *closure, arg, res unsafe.Pointer) error {
	if t.until != 0 || t.root.kind == rootCalled {
		if err := t.Err(); err != nil {
			return err
		}
	}
	ct, err := typesOf(sig)
	if err != nil {
		return err
	}
	if !image.constant(uintptr(unsafe.Pointer(fn)), 8) {
		if _, err := identify(fn); err != nil {
			return err
		}
	}
	if t.depth < maxDepth && t.room() >= minRoom {
		// Whoever closes a gate looks at entered afterwards. So either it sees that
		// t is inside, or t sees that the gate is closed.
		t.entered[t.depth] = id.Addr
		t.depth++
		r := t.findHere(id)
		if r != nil && r.gate.enter(false) {
			if ct.state == nil || ct.state == r.typ {
				return t.callHere(r, ct, sig, fn, arg, res)
			}
			r.gate.leave()
			t.depth--
			return r.wrongState(ct)
		}
		t.depth--
	}
	e, err := t.send(id, ct, fn, arg)
	if err != nil {
		return err
	}
	return t.collect(e, sig, res)
}

// callHere calls a method of a proclet that t has entered, on t's own stack. If
// one of the proclets on this stack leaves meanwhile, t is split: what goes on
// here, perhaps on another machine, is then the caller alone.
func (t *Thread) callHere(r *resident, ct *callTypes, sig signature, fn *closure, arg, res unsafe.Pointer) error {
	mark := t.fiber.Mark()
	words := t.fiber.AllocDirty(unsafe.Sizeof(activation{}))
	if words == nil {
		return t.refuse(r, ErrStackFull)
	}
	*(*activationWords)(words) = activationWords{}
	a := (*activation)(words)
	a.heap, a.id, a.holds, a.below, a.until = t.heap, t.id, t.holds, t.below, t.until
	if t.nheld != 0 {
		a.nheld, a.held = t.nheld, t.held
	}
	a.sig, a.res, a.fn = sig, res, fn
	a.callee, a.flat, a.resSize = uintptr(unsafe.Pointer(r)), ct.flatRes, ct.res.size
	// The argument, and a closure that was made at run time, are copied here, where
	// they are kept, but are the called method's: they lie above the part of the
	// arena that ends at the boundary.
	bottom := t.fiber.Mark()
	if !image.constant(uintptr(unsafe.Pointer(fn)), 8) {
		if a.fn = (*closure)(t.fiber.Alloc(unsafe.Sizeof(closure{}))); a.fn == nil {
			return t.refuse(r, ErrStackFull)
		}
		*a.fn = *fn
	}
	if p := ct.arg; ct.flatArg {
		if a.in = t.fiber.AllocDirty(p.size + 8); a.in == nil {
			return t.refuse(r, ErrStackFull)
		}
		copyFlat(a.in, arg, p.size)
	} else {
		in, err := t.copyArgument(p, arg)
		if err != nil {
			return t.refuse(r, err)
		}
		if p.inGo {
			t.local().in = in // the collector does not see a
		}
		a.in = in
	}
	a.top = t.fiber.Pass(bottom)
	left := uint64(0)
	if t.until != 0 {
		left = t.left()
	}
	t.heap, t.id, t.nheld, t.holds, t.below = r.heap, r.id, 0, nil, a
	if left != 0 {
		t.setLeft(left)
	}
	t.fiber.Call(runCalled)

	t.heap, t.id, t.nheld, t.holds, t.below, t.until = a.heap, a.id, a.nheld, a.holds, a.below, a.until
	if a.nheld != 0 {
		t.held = a.held
	}
	if a.expected != nil {
		t.alone(a.root)
		return t.collect(a.expected, a.sig, a.res)
	}
	t.depth--
	t.fiber.Spoil(bottom, a.top)
	if t.failed {
		return t.takeError()
	}
	if a.flat {
		t.fiber.Release(mark)
		return nil
	}
	return t.received(a.sig, a.res)
}

// received ends a call whose result has arrived.
func (t *Thread) received(sig signature, res unsafe.Pointer) error {
	ct, err := typesOf(sig)
	if err != nil {
		return err
	}
	return t.receive(ct.res, res)
}

// flat reports whether values of p are bytes that refer to nothing.
func (p *plan) flat() bool { return headerOf(p.typ).ptrBytes == 0 && !p.counted }

// copyFlat copies a value of a flat plan.
func copyFlat(dst, src unsafe.Pointer, size uintptr) {
	if size == 8 {
		*(*uint64)(dst) = *(*uint64)(src)
		return
	}
	copy(unsafe.Slice((*byte)(dst), size), unsafe.Slice((*byte)(src), size))
}

// refuse ends a call that t has entered a proclet for, before it began.
func (t *Thread) refuse(r *resident, err error) error {
	t.depth--
	r.gate.leave()
	return err
}

// runCalled executes the method that callHere has entered a proclet for. It keeps
// nothing itself: its own argument would lie below the boundary.
func runCalled(f *fiber.Fiber) { threadOf(f).runInnermost() }

//go:noinline
func (t *Thread) runInnermost() {
	a := t.below
	in, sig, fn := a.in, a.sig, a.fn
	t.fiber.Take(a.top)
	t.run(sig, fn, in)
}

// findHere is find for t's runtime.
func (t *Thread) findHere(id ID) *resident {
	s := residentSlot(id.Addr, false)
	if s == nil {
		return nil
	}
	if r := s.Load(); r != nil && r.id.Gen == id.Gen && r.rt.index == t.rt {
		return r
	}
	return nil
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

// noescape hides p from the compiler's escape analysis. That is sound here
// because p, which points into the caller's frame, is only ever kept in frames
// of functions that the caller waits for, as a pointer, so that it is adjusted
// when the stack moves, and in the arena of a thread, whose stack does not move.
//
//go:nosplit
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}
