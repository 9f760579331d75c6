package proclet

import (
	"fmt"
	"sync"
	"time"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
	"nuos/rack"
)

// Methods run on threads. Between the begin and the end of a method the frames of
// this package on a thread's stack hold nothing that belongs to the machine:
// only the thread, constants of the program, and addresses in heaps and regions.
// What else they need they look up again.

// purpose is what the outermost method of a thread, or of a part of a thread that
// was split, is there for.
type purpose struct {
	kind    rootKind
	call    callID         // of rootCalled
	outside uintptr        // *outsideCall of rootOutside, which its goroutine keeps
	started uint64         // of rootStarted
	sig     signatureTable // of the call
}

type rootKind uint8

const (
	rootCalled  rootKind = iota // a call with an identity
	rootOutside                 // a call of an ordinary goroutine of this machine
	rootStarted                 // a thread of the proclet's own
)

// order is how a thread begins: what it executes and on what.
type order struct {
	start   starter // of rootStarted
	closure closure
	fn      *closure
	wire    []byte // the argument, encoded, in the arena
}

// minRoom is how many bytes of stack a method finds at least.
const minRoom = 256 << 10

// local is what a thread has on the machine where it is: Go values that must not
// be on its stack while it may leave, and those that go from frame to frame across
// a boundary.
type local struct {
	err   error          // of the method that has ended last
	in    unsafe.Pointer // an argument, on its way
	timer *time.Timer    // ends the thread's sleep
}

func (t *Thread) local() *local {
	v := t.fiber.Local()
	if v.Value == nil {
		v.Value = new(local)
	}
	return v.Value.(*local)
}

// takeError returns the error of the method that has ended last.
func (t *Thread) takeError() error {
	if !t.failed {
		return nil
	}
	t.failed = false
	v, _ := t.fiber.Local().Value.(*local)
	if v == nil {
		return nil
	}
	err := v.err
	v.err = nil
	return err
}

func (t *Thread) setError(err error) { t.local().err, t.failed = err, err != nil }

// runThread is the outermost function of every thread.
func runThread(f *fiber.Fiber) {
	t := threadOf(f)
	t.beginSlice()
	in, err := t.argument()
	if err != nil {
		t.setError(err)
		t.leaveMethod()
		return
	}
	if t.order.start != nil {
		t.runStarted(in)
		return
	}
	t.next = beginning{toUncollected(t.order.fn), uintptr((*head)(t.heap.Root()).state), uintptr(in), f.Mark()}
	execute(t.root.sig)(f)
}

// argument lays the argument of a new thread down in its arena.
func (t *Thread) argument() (unsafe.Pointer, error) {
	if t.root.kind == rootOutside && t.order.start == nil {
		c := (*outsideCall)(constantAt(t.root.outside))
		ct, err := typesOf(t.root.sig.signature())
		if err != nil {
			return nil, err
		}
		return t.copyArgument(ct.arg, c.arg)
	}
	p, err := t.order.argument(t.root.sig.signature())
	if err != nil || p == nil {
		return nil, err
	}
	n := room(p.size)
	d := &decoder{t.order.wire}
	check := *d
	err = p.measureWire(&check, &n)
	if err == nil && len(check.b) != 0 {
		err = fmt.Errorf("%w: %d bytes after the argument", errMalformed, len(check.b))
	}
	if err != nil {
		return nil, err
	}
	a, err := t.results(n)
	if err != nil {
		return nil, err
	}
	in := a.alloc(p, 1)
	return in, p.decode(in, d, &a)
}

func (o *order) argument(sig signature) (*plan, error) {
	if o.start != nil {
		return o.start.argument()
	}
	ct, err := typesOf(sig)
	if err != nil {
		return nil, err
	}
	return ct.arg, nil
}

// copyArgument copies the value at arg into t's arena.
func (t *Thread) copyArgument(p *plan, arg unsafe.Pointer) (unsafe.Pointer, error) {
	a, err := t.results(room(p.size) + p.measure(arg))
	if err != nil {
		return nil, err
	}
	in := a.alloc(p, 1)
	return in, p.copy(in, arg, &a)
}

// execute is that of a signature that has been used.
func execute(sig signatureTable) func(*fiber.Fiber) {
	ct, _ := typesOf(sig.signature())
	return ct.execute
}

// within executes method, which gets its argument itself, as t's innermost one; see
// callTypes.execute.
func within(f *fiber.Fiber, method func(t *Thread)) {
	t, ended := threadOf(f), false
	defer func() {
		if !ended || t.owes() {
			t.end(ended, recover())
		}
	}()
	method(t)
	ended = true
}

// begin returns what the method that begins begins with. Until then the argument may
// be the caller's, who need not be there any more after a safe point.
func begin[M, A any](t *Thread) (method M, state unsafe.Pointer, arg A) {
	t.fiber.Take(t.next.top)
	return *(*M)(unsafe.Pointer(&t.next.fn)), constantAt(t.next.state), *(*A)(constantAt(t.next.in))
}

// plainResult returns where the result of a method goes that has returned with err, if
// all it takes is an assignment.
func (t *Thread) plainResult(err error) unsafe.Pointer {
	if a := t.below; a != nil && err == nil && !mm.Debug && a.types.pointer().flatRes {
		return constantAt(a.res)
	}
	return nil
}

// handBack hands the result of a method back that has returned with err. It is a safe
// point before that.
func (t *Thread) handBack(res unsafe.Pointer, err error) {
	if err = t.checked(err); err == nil {
		err = t.handOverAs(t.signature(), res)
	}
	if err != nil {
		t.setError(export(err))
		return
	}
	ct, err := typesOf(t.signature())
	if err == nil {
		switch {
		case t.below != nil:
			var a arena
			t.below.top = t.fiber.Mark()
			if a, err = t.results(ct.res.measure(res)); err == nil {
				err = ct.res.copy(constantAt(t.below.res), res, &a)
			}
		case t.root.kind == rootOutside:
			c := (*outsideCall)(constantAt(t.root.outside))
			err = ct.res.copy(c.res, res, &arena{})
		default:
			err = t.prepareAnswer(ct.res, res)
		}
	}
	if err != nil {
		t.runtime().abandon(ct.res, res)
		t.setError(err)
	}
}

// prepareAnswer encodes the result of t's outermost method in the arena: at once, if it
// is of a few bytes, as it usually is.
func (t *Thread) prepareAnswer(p *plan, res unsafe.Pointer) error {
	if p.size < fewBytes && p.flat() {
		few := t.fiber.AllocDirty(fewBytes)
		if few == nil {
			return ErrStackFull
		}
		b, err := p.encode(append(unsafe.Slice((*byte)(few), fewBytes)[:0], answerDone), res)
		if err == nil && unsafe.Pointer(unsafe.SliceData(b)) != few { // its own encoding is longer
			return t.keepAnswer(b)
		}
		t.answer = b
		return err
	}
	room := answerRoom.Get().(*[]byte)
	b, err := p.encode(append((*room)[:0], answerDone), res)
	if err == nil {
		err = t.keepAnswer(b)
		*room = b
	}
	if cap(*room) <= keptRoom {
		answerRoom.Put(room)
	}
	return err
}

// keepAnswer copies an encoded answer into the arena.
func (t *Thread) keepAnswer(b []byte) error {
	if len(b) > rack.MaxMessage {
		return fmt.Errorf("%w: result of %d bytes", rack.ErrTooLarge, len(b))
	}
	p := t.fiber.AllocDirty(uintptr(len(b)))
	if p == nil {
		return ErrStackFull
	}
	t.answer = unsafe.Slice((*byte)(p), len(b))
	copy(t.answer, b)
	return nil
}

// fewBytes are enough for most answers.
const fewBytes = 64

// answerRoom is memory for answers that are being encoded.
var answerRoom = sync.Pool{New: func() any { return new([]byte) }}

// handOverAs is handOver for a result of a method of this signature.
func (t *Thread) handOverAs(sig signature, res unsafe.Pointer) error {
	ct, err := typesOf(sig)
	if err != nil {
		return err
	}
	return t.handOver(ct.res, res)
}

// room returns how many bytes of stack are left.
func (t *Thread) room() uintptr {
	if !fiber.Movable {
		return minRoom // the runtime makes more
	}
	return t.fiber.Room()
}

// signature is that of t's innermost method.
func (t *Thread) signature() signature {
	if t.below != nil {
		return t.below.types.pointer().sig
	}
	return t.root.sig.signature()
}

// end ends t's innermost method. A deferred function calls it, with whether the
// method has returned, and with what was recovered.
func (t *Thread) end(returned bool, v any) {
	switch {
	case returned:
		t.leaveMethod()
	case v != nil:
		t.setError(t.checkedPanic(newPanicError(v)))
		t.leaveMethod()
	default: // runtime.Goexit
		t.setError(t.checked(ErrExited))
		t.leaveMethod()
		t.fiber.Escape()
	}
}

// owes reports whether there is anything to do for leaveMethod.
func (t *Thread) owes() bool { return t.nheld != 0 || t.holds != nil || t.below == nil }

// leaveMethod ends t's innermost method, after its result has been copied. The
// proclet of one that was called on this stack the caller leaves.
func (t *Thread) leaveMethod() {
	if t.nheld != 0 {
		t.unlockHeld()
	}
	if t.holds != nil {
		t.releaseOwned(nil)
	}
	if t.below == nil {
		t.leaveOutermost()
	}
}

// leaveOutermost leaves the proclet of the outermost method here, and delivers its
// result.
func (t *Thread) leaveOutermost() {
	if t.measured != 0 {
		t.measure()
	}
	r := t.runtime().find(t.id)
	if t.kept {
		freeInside(t.heap, t.inside)
		t.inside, t.kept = nil, false
	}
	err := t.takeError()
	switch t.root.kind {
	case rootCalled:
		answer := t.answer
		switch {
		case err != nil:
			answer = failed(err)
		case answer == nil: // Close has no result
			answer = []byte{answerDone}
		}
		interleave("a call ends")
		asked := r.once.end(t.root.call, answer)
		interleave("a call has ended")
		r.gate.leave()
		asked.all(answer)
	case rootOutside:
		c := (*outsideCall)(constantAt(t.root.outside))
		c.err = err
		r.gate.leave()
		interleave("a call has ended")
		c.done <- struct{}{}
	case rootStarted:
		interleave("a thread ends")
		r.startedEnds(t.root.started, err)
		r.gate.uncountFrozen(1)
	}
}
