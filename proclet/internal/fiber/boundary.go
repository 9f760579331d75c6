package fiber

import "unsafe"

// The frame of call, from the stack pointer at its call instruction: what it
// saves, and where the frame pointer is.
const (
	savedDefer = 16
	savedPanic = 24
	savedArena = 32
	savedBP    = 40
)

// boundary is a boundary on the stack: the stack pointer in the frame of call. The
// word below it is the return address of the function it has called, enter.
type boundary uintptr

func (b boundary) deferred() uintptr { return *word(uintptr(b) + savedDefer) }
func (b boundary) panicked() uintptr { return *word(uintptr(b) + savedPanic) }
func (b boundary) arena() uintptr    { return *word(uintptr(b) + savedArena) }

// context returns what is after the called function has returned. Its top is
// that of the stack it is on.
func (b boundary) context(f *Fiber, top uintptr) context {
	return context{
		sp: uintptr(b) - 8, bp: uintptr(b) + savedBP, lo: f.stackLo(), hi: f.stackHi(), top: top,
		deferred: b.deferred(), panicked: b.panicked(),
	}
}

// Call calls fn(f) behind a boundary. It returns when fn has, in whichever part of
// the fiber that is then, or when fn has been ended by runtime.Goexit; a panic of fn
// passes through it. Only f calls it.
//
// Nothing that fn, or what it calls, uses after a Split may lie on the stack or in the
// arena below the boundary, variables captured by fn included: Split refuses.
func (f *Fiber) Call(fn func(*Fiber)) {
	if !Movable {
		fn(f)
		return
	}
	call(f, enterCode, *(*uintptr)(unsafe.Pointer(&fn)))
}

var enterCode = func() uintptr {
	e := enter
	return *(*uintptr)(unsafe.Pointer(&e))
}()

// enter calls fn(f) and does not let a runtime.Goexit get past it. The carrier would
// not survive that, nor would the runtime: it frees the stack that it finds.
func enter(f *Fiber, fn func(*Fiber)) {
	done := false
	defer func() {
		if !done && exiting() {
			f.Escape()
		}
	}()
	fn(f)
	done = true
}

// exiting reports whether the deferred function that calls it is called because of
// a runtime.Goexit, not a panic. It is only asked if one of the two is so.
func exiting() bool {
	var c context
	here(&c)
	return c.panicked != 0 && (*panicRecord)(pointer(c.panicked)).goexit
}

// Escape gives up what runs above the innermost boundary: its Call returns, or if
// there is none, the fiber ends. It is for deferred functions that runtime.
// Goexit calls, instead of letting it go on to those further down. It does not
// return. Deferred functions that have not been called yet are forgotten.
func (f *Fiber) Escape() {
	if !Movable {
		return
	}
	var c context
	here(&c)
	to := context{sp: c.top - 8, lo: c.lo, hi: c.hi, top: c.top}
	bp := c.bp
	if b, ok := nextBoundary(&bp); ok {
		to = b.context(f, c.top)
	}
	swap(&c, &to)
}

// nextBoundary walks up the chain of frame pointers from *bp to the next boundary,
// and leaves in *bp where to look for the one after it. Every function that
// calls another one has a frame pointer, so none is missed; the return address into
// call is in no other place of a frame.
func nextBoundary(bp *uintptr) (boundary, bool) {
	for p := *bp; p != 0; {
		caller := *word(p)
		if *word(p + 8) == callReturn {
			*bp = caller
			return boundary(p + 16), true
		}
		p = caller
	}
	return 0, false
}

// callReturn is the return address of what call has called.
var callReturn = func() (pc uintptr) {
	probe := func(*Fiber, uintptr) {
		var c context
		here(&c)
		pc = *word(c.bp + 8)
	}
	var f Fiber
	call(&f, *(*uintptr)(unsafe.Pointer(&probe)), 0)
	return pc
}()
