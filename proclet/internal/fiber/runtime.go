package fiber

import "unsafe"

// All that this package knows of the runtime's insides. Check verifies it; the
// assembly uses the same constants, through go_asm.h.

// Offsets in runtime.g (runtime/runtime2.go, Go 1.26).
const (
	gStackLo     = 0
	gStackHi     = 8
	gStackguard0 = 16
	gPanic       = 32
	gDefer       = 40
	gStktopsp    = 128
)

const (
	// reasonCoroutine is runtime.waitReasonCoroutine: why a goroutine sleeps that runs
	// when another one says so. Tracebacks print it, and to testing/synctest such a
	// goroutine is durably blocked.
	reasonCoroutine = 38
	// stackGuard is runtime.stackGuard: how far the guard lies above the lowest
	// address of a stack.
	stackGuard = 928
	// stackPreempt is runtime.stackPreempt: the value of g.stackguard0 that asks
	// the goroutine to yield.
	stackPreempt = -1314
)

// deferRecord is the part of runtime._defer that is used here.
type deferRecord struct {
	heap      bool
	rangefunc bool
	sp, pc    uintptr
	fn        uintptr
	link      uintptr
}

// panicRecord is runtime._panic. It always lies on the stack.
type panicRecord struct {
	arg                   [2]uintptr
	link                  uintptr
	startPC, startSP      uintptr
	sp                    uintptr // of the frame whose deferred calls are run
	lr, fp                uintptr // of the frame to look at next: return address into it, stack pointer there
	retpc                 uintptr
	deferBits, slots      uintptr
	recovered, repanicked bool
	goexit                bool
	deferreturn           bool
	gopanicFP             uintptr
}

// gopark and goready are how the runtime itself lets goroutines sleep. It
// exports both by name, for packages like this one.
//
// unlockf runs on the scheduler's stack when the goroutine is asleep; if it returns
// false the goroutine goes on.
//
//go:linkname gopark runtime.gopark
func gopark(unlockf func(g, lock unsafe.Pointer) bool, lock unsafe.Pointer, reason, traceReason uint8, traceskip int)

//go:linkname goready runtime.goready
func goready(g unsafe.Pointer, traceskip int)

// pointer turns an address into a pointer.
//
// Sound because what reaches it is never of Go's heap but for a g and a carrier,
// which the runtime and the table of carriers keep, or lies on the stack of an
// attached fiber, that does not move.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// word is the word at address p, under the same conditions.
func word(p uintptr) *uintptr { return (*uintptr)(pointer(p)) }
