package fiber

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/stackmap"
)

// Check verifies, once, all that this package relies on in the runtime, and that
// stacks do not shrink. No fiber may be started if it fails. It takes about the
// time of a garbage collection.
func Check() error { return check() }

var check = sync.OnceValue(func() error {
	if !strings.HasPrefix(runtime.Version(), "go1.26") {
		return fmt.Errorf("fiber: moving threads is verified for go1.26, and this is %s", runtime.Version())
	}
	if !Movable {
		return nil
	}
	if shrinks() { // first: the others look at stacks that must not move
		return fmt.Errorf("fiber: %s shrinks stacks; start the program with GODEBUG=gcshrinkstackoff=1", runtime.Version())
	}
	wrong := make(chan string)
	go func() {
		useStack(16)
		what := wrongStack()
		if what == "" {
			what = wrongPanic()
		}
		if what == "" {
			what = wrongBoundary()
		}
		wrong <- what
	}()
	what := <-wrong
	if what == "" && !seesGoexit() {
		what = "runtime.Goexit's record"
	}
	if what != "" {
		return fmt.Errorf("fiber: %s is not what it is in go1.26; this is %s", what, runtime.Version())
	}
	if err := mm.MapStacks(); err != nil {
		return err
	}
	return stackmap.SelfTest()
})

// shrinks reports whether the runtime shrinks stacks: a goroutine uses much of its
// stack, then little, and lets the collector run.
func shrinks() bool {
	moved := make(chan bool)
	go func() {
		useStack(64)
		var b byte
		before := uintptr(unsafe.Pointer(&b))
		runtime.GC()
		moved <- uintptr(unsafe.Pointer(&b)) != before
	}()
	return <-moved
}

// useStack uses some KiB of stack for each level.
//
//go:noinline
func useStack(levels int) byte {
	var frame [1024]byte
	frame[levels] = 1
	if levels == 0 {
		return frame[0]
	}
	return useStack(levels-1) + frame[levels/2]
}

// wrongStack names a field of the running g that is not where it should be.
func wrongStack() string {
	var c context
	here(&c)
	sp, guard := uintptr(unsafe.Pointer(&c)), *word(getg() + gStackguard0)
	switch {
	case c.lo >= sp || c.hi <= sp || c.hi-c.lo > maxStack:
		return "g.stack"
	case guard != c.lo+stackGuard && int(guard) != stackPreempt:
		return "g.stackguard0"
	case c.top <= sp || c.top > c.hi || c.hi-c.top > 64:
		return "g.stktopsp"
	case c.deferred != 0:
		return "g._defer"
	case c.panicked != 0:
		return "g._panic"
	case c.bp < c.sp || c.bp >= c.hi || *word(c.bp) <= c.bp || *word(c.bp) >= c.hi:
		return "the chain of frame pointers"
	}
	return ""
}

// wrongPanic lets a deferred function look at its own record and at that of the panic
// by which it is called.
func wrongPanic() (what string) {
	var before, inside context
	here(&before)
	defer func() {
		if what != "" {
			return
		}
		here(&inside)
		p := (*panicRecord)(pointer(inside.panicked))
		switch outer := uintptr(unsafe.Pointer(&before)); {
		case inside.panicked <= inside.sp || inside.panicked >= outer:
			what = "g._panic"
		case *(*any)(unsafe.Pointer(&p.arg)) != any("probe") || p.link != 0 || p.goexit || p.recovered:
			what = "the record of a panic"
		case p.sp <= inside.panicked || p.sp > outer || p.fp <= outer || p.fp > before.hi:
			what = "the frames in the record of a panic"
		}
		recover()
	}()
	for range 1 { // the record of a defer in a loop is in the heap, the other one on the stack
		defer func() {}()
	}
	here(&inside)
	for _, heap := range []bool{true, false} {
		d := (*deferRecord)(pointer(inside.deferred))
		if inside.deferred == 0 || d.heap != heap || d.sp <= before.sp || d.sp >= before.hi {
			return "the record of a deferred call"
		}
		inside.deferred = d.link
	}
	if inside.deferred != before.deferred {
		return "the chain of deferred calls"
	}
	panic("probe")
}

// wrongBoundary makes a call, and compares its frame with where boundary.go looks.
func wrongBoundary() (what string) {
	var before context
	here(&before)
	f := Fiber{arena: 8}
	probe := func(f *Fiber) {
		var c context
		here(&c)
		bp := c.bp
		b, ok := nextBoundary(&bp)
		switch {
		case !ok || uintptr(b) != c.bp+16:
			what = "the return address of a call"
		case bp != uintptr(b)+savedBP || *word(bp) != before.bp:
			what = "the frame of assembly"
		case b.deferred() != before.deferred || b.panicked() != before.panicked || b.arena() != f.arena:
			what = "what a boundary saves"
		}
	}
	call(&f, *(*uintptr)(unsafe.Pointer(&probe)))
	for _, pc := range []uintptr{callReturn, leaveReturn, runPC, basePC} {
		if fn := runtime.FuncForPC(pc); fn == nil || !strings.Contains(fn.Name(), "/internal/fiber.") {
			what = "a return address of this package"
		}
	}
	return what
}

// seesGoexit reports whether Exiting does what it says.
func seesGoexit() bool {
	seen := make(chan bool)
	go func() {
		defer func() { seen <- new(Fiber).Exiting() }()
		runtime.Goexit()
	}()
	return <-seen
}
