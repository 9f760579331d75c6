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
	fn := closureOf(unsafe.Pointer(&method))
	if t.heap != nil && fiber.Movable { // as invoke
		err = t.call(ref.id, signatureOf[S, A, R]{}, fn, noescape(unsafe.Pointer(&arg)), noescape(unsafe.Pointer(&res)))
		return res, err
	}
	return invokeShared[A, R](t, ref.id, signatureOf[S, A, R]{}, fn, arg)
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

// call calls a method of another proclet from one that t executes. If that lives
// here the method runs on t's own stack. If one of the proclets on this stack leaves
// meanwhile, t is split: what goes on here, perhaps on another machine, is then
// the caller alone.
//
// It is one function, because what it costs is mostly frames.
func (t *Thread) call(id ID, sig signature, fn *closure, arg, res unsafe.Pointer) error {
	a := t.newActivation()
	if a == nil {
		return ErrStackFull
	}
	tab, run, in := tableOf(sig), fn, arg
	ct := recentTypes(tab).Load()
	if ct == nil || ct.tab != tab || !ct.flatArg || t.until != 0 || t.root.kind == rootCalled && t.mayBeCancelled() || !image.hasClosure(fn) {
		var err error
		if ct, run, in, err = t.prepareCall(a, id, sig, fn, arg); err != nil {
			a.free(t)
			return err
		}
	}
	r := residentAt(id.Addr)
	if r == nil || r.id.Gen != id.Gen || r.rt.index != t.rt || r.typ != ct.state && ct.state != nil ||
		uint(t.depth) >= maxDepth || t.room() < minRoom {
		return t.callAway(a, id, ct, fn, arg, res)
	}
	// Whoever closes a gate looks at entered afterwards. So either it sees that
	// t is inside, or t sees that the gate is closed.
	t.entered[t.depth] = id.Addr
	t.depth++
	if !r.gate.enter(false) {
		t.depth--
		return t.callAway(a, id, ct, fn, arg, res)
	}

	a.id, a.heap, a.below = t.id, toUncollected(t.heap), toUncollected(t.below)
	a.callee, a.types, a.res, a.expected = toUncollected(r), toUncollected(ct), uintptr(res), 0
	if a.more = t.nheld != 0 || t.holds != nil || t.until != 0; a.more {
		t.putAside(a, r)
	}
	t.next = beginning{toUncollected(run), uintptr(r.state), uintptr(in), a.top}
	if t.measured != 0 {
		t.measure()
		r.load.calledFrom(r.rt.self)
	}
	t.id = r.id
	t.heap, t.below = r.heap, a
	t.fiber.Call(ct.execute)

	if t.measured != 0 {
		t.measure()
	}
	t.id = a.id
	t.heap, t.below = a.heap.pointer(), a.below.pointer()
	if a.more || a.expected != 0 {
		t.takeBack(a)
	}
	if a.expected != 0 {
		return t.collectSplit(a)
	}
	t.depth--
	a.callee.pointer().gate.leave()
	t.fiber.Spoil(a.end(), a.top)
	if t.failed {
		a.free(t)
		return t.takeError()
	}
	if ct := a.types.pointer(); !ct.flatRes {
		return t.receive(ct.res, constantAt(a.res))
	}
	a.free(t)
	return nil
}

// newActivation returns an activation of any contents, or nil if there is no room.
func (t *Thread) newActivation() *activation {
	a := (*activation)(t.fiber.AllocDirty(unsafe.Sizeof(activation{})))
	if a != nil {
		a.top = t.fiber.Mark()
	}
	return a
}

// end is the mark of the arena above a.
func (a *activation) end() uintptr { return uintptr(unsafe.Pointer(a)) + unsafe.Sizeof(*a) }

// free frees a and what was allocated after it.
func (a *activation) free(t *Thread) { t.fiber.Release(uintptr(unsafe.Pointer(a))) }

// prepareCall makes sure that a call is possible, and copies the argument, and a closure
// that was made at run time, if they may be used after t has been split. They
// are kept here, but are the called method's: they lie above the part of the
// arena that ends at the boundary.
func (t *Thread) prepareCall(a *activation, id ID, sig signature, fn *closure, arg unsafe.Pointer) (*callTypes, *closure, unsafe.Pointer, error) {
	if err := t.Err(); err != nil {
		return nil, nil, nil, err
	}
	ct, err := typesOf(sig)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := identify(fn); err != nil {
		return nil, nil, nil, err
	}
	if t.runtime().find(id) == nil {
		return ct, fn, arg, nil
	}
	bottom := t.fiber.Mark()
	if !image.hasClosure(fn) {
		c := (*closure)(t.fiber.Alloc(unsafe.Sizeof(closure{})))
		if c == nil {
			return nil, nil, nil, ErrStackFull
		}
		*c = *fn
		fn = c
	}
	if !ct.flatArg {
		if arg, err = t.copyArgument(ct.arg, arg); err != nil {
			return nil, nil, nil, err
		}
		if ct.arg.inGo {
			t.local().in = arg // the collector does not see t.next
		}
	}
	a.top = t.fiber.Pass(bottom)
	return ct, fn, arg, nil
}

// callAway calls a method that cannot run on t's stack.
func (t *Thread) callAway(a *activation, id ID, ct *callTypes, fn *closure, arg, res unsafe.Pointer) error {
	a.free(t)
	if r := t.runtime().find(id); r != nil && ct.state != nil && ct.state != r.typ {
		return r.wrongState(ct)
	}
	e, err := t.send(id, ct, fn, arg)
	if err != nil {
		return err
	}
	return t.collect(e, ct.sig, res)
}

// putAside keeps in a what the method that t calls in r starts without, and sets its
// deadline.
func (t *Thread) putAside(a *activation, r *resident) {
	a.holds, a.nheld, a.until = toUncollected(t.holds), t.nheld, t.until
	for i := range t.nheld {
		a.held[i] = toUncollected(t.held[i])
	}
	t.holds, t.nheld = nil, 0
	if t.until != 0 {
		t.until += r.head.ahead - (*head)(t.heap.Root()).ahead
	}
}

// takeBack is the inverse of putAside, if that was called.
func (t *Thread) takeBack(a *activation) {
	t.holds, t.nheld, t.until = nil, 0, 0
	if a.more {
		t.holds, t.nheld, t.until = a.holds.pointer(), a.nheld, a.until
		for i := range t.nheld {
			t.held[i] = a.held[i].pointer()
		}
	}
}

// collectSplit waits for the answer of the call of a, where t was split.
func (t *Thread) collectSplit(a *activation) error {
	t.alone(a.root, unsafe.Slice(a.inside.pointer(), a.ninside))
	return t.collect(a.expected.pointer(), a.sig.signature(), constantAt(a.res))
}

// flat reports whether values of p are bytes that refer to nothing.
func (p *plan) flat() bool { return headerOf(p.typ).ptrBytes == 0 && !p.counted }

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
			if !comesBack || !r.sealed.Load() {
				return r
			}
			r.gate.uncount()
		}
		if r.destroying.Load() {
			return nil // those inside may wait for us elsewhere, in a proclet that ends as well
		}
		r.gate.wait()
		interleave("a gate has changed")
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
