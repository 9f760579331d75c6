package fiber

import (
	"runtime"
	"unsafe"
)

// The frame of call, from the stack pointer at its call instruction: what it
// saves, and where the frame pointer is.
const (
	savedDefer = 8
	savedPanic = 16
	savedArena = 24
	savedBP    = 32
)

// boundary is a boundary on the stack: the stack pointer in the frame of call. The
// word below it is the return address of the function it has called.
type boundary uintptr

func (b boundary) deferred() uintptr { return *word(uintptr(b) + savedDefer) }
func (b boundary) panicked() uintptr { return *word(uintptr(b) + savedPanic) }
func (b boundary) arena() uintptr    { return *word(uintptr(b) + savedArena) }

// context returns what is after the called function has returned. Its top is
// that of the stack it is on.
func (b boundary) context(f *Fiber, top uintptr) context {
	return context{
		sp: uintptr(b) - 8, bp: uintptr(b) + savedBP, pc: callReturn, lo: f.stackLo(), hi: f.stackHi(), top: top,
		deferred: b.deferred(), panicked: b.panicked(),
	}
}

// Call calls fn(f) behind a boundary. It returns when fn has, in whichever part of
// the fiber that is then; a panic of fn passes through it. Only f calls it.
//
// Nothing that fn, or what it calls, uses after a Split may lie on the stack or in the
// arena below the boundary, variables captured by fn included: Split refuses.
//
// A runtime.Goexit must not pass a boundary that is going to be cut, since there is
// nothing below it that it could end: fn has a deferred function that calls
// Escape if Exiting.
func (f *Fiber) Call(fn func(*Fiber)) {
	if !Movable {
		f.callAside(fn)
		return
	}
	call(f, *(*uintptr)(unsafe.Pointer(&fn)))
}

// Exiting reports whether a runtime.Goexit, from above the innermost boundary, calls
// the deferred function that asks. It is for deferred functions of what was
// given to Call or New.
func (f *Fiber) Exiting() bool {
	var c context
	here(&c)
	if c.panicked == 0 || !(*panicRecord)(pointer(c.panicked)).goexit {
		return false
	}
	b, ok := nextBoundary(&c.bp)
	return !ok || c.panicked < uintptr(b)
}

// Escape ends a runtime.Goexit that calls the deferred function which calls Escape:
// the Call of the boundary below the function that has deferred it returns, or if
// there is none, f ends. What runs above is given up, deferred calls that
// have not been made included. Escape does not return.
//
// Under the race detector Escape does return: the Goexit goes on, to where the function
// that was given to Call begins.
func (f *Fiber) Escape() {
	if !Movable {
		f.carried().escaped = true
		return
	}
	var c context
	here(&c)
	passed := uintptr(0) // Goexit is done with the frames up to here
	if c.panicked != 0 {
		passed = (*panicRecord)(pointer(c.panicked)).sp
	}
	to := context{sp: c.top - 8, pc: basePC, lo: c.lo, hi: c.hi, top: c.top}
	for bp := c.bp; ; {
		b, ok := nextBoundary(&bp)
		if !ok {
			break
		}
		if uintptr(b) > passed {
			to = b.context(f, c.top)
			break
		}
	}
	swap(&c, &to)
}

// callAside is Call for fibers that are goroutines: it calls fn on another one, for
// a runtime.Goexit to end.
func (f *Fiber) callAside(fn func(*Fiber)) {
	type ending struct {
		returned bool
		panicked any
	}
	ended := make(chan ending)
	go func() {
		var e ending
		defer func() {
			if !e.returned {
				e.panicked = recover()
			}
			ended <- e
		}()
		fn(f)
		e.returned = true
	}()
	c := f.carried()
	switch e := <-ended; {
	case e.returned:
	case e.panicked != nil:
		panic(e.panicked)
	case c.escaped:
		c.escaped = false
	default:
		runtime.Goexit()
	}
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
	probe := func(*Fiber) {
		var c context
		here(&c)
		pc = *word(c.bp + 8)
	}
	var f Fiber
	call(&f, *(*uintptr)(unsafe.Pointer(&probe)))
	return pc
}()
