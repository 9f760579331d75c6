package stackmap

import (
	"strings"
	"testing"
	"unsafe"

	"nuos/mm"
)

// Where the frames end that leave checks, what else may be pointed to, and
// what it found.
var (
	hi      uintptr
	part    uintptr // bytes of the outermost frame that are left out
	own     []mm.Range
	outcome error
	passed  int
	lastPC  uintptr
)

// pointer is what livePointer has.
var pointer unsafe.Pointer

func pointerOf[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

// leave checks the frames from its caller to mark's.
//
//go:noinline
func leave() {
	pc, sp, bp := caller()
	d, p := chains()
	outcome = Check(pc, sp, bp, Stack{Lo: sp, Hi: hi - part, Own: own, Defer: d, Panic: p})
	passed++
	lastPC = pc
}

// mark calls f and reports whether its stack stayed where it was. Its frame
// is the last that is checked.
//
//go:noinline
func mark(f func()) bool {
	_, hi, _ = caller()
	f()
	_, sp, _ := caller()
	return sp == hi
}

// run runs f, which calls leave, and returns what leave found.
func run(t *testing.T, f func()) error {
	t.Helper()
	for {
		passed = 0
		if mark(f) { // otherwise the runtime moved the stack of the goroutine
			break
		}
	}
	if passed == 0 {
		t.Fatal("leave was not called")
	}
	return outcome
}

func TestCheck(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			expect(t, run(t, c.f), c.want)
		})
	}
}

// expect checks an outcome against part of the refusal, "" for none.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("Check() = %v; want nil", err)
	case want != "" && err == nil:
		t.Errorf("Check() = nil; want a refusal of %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("Check() = %v; want a refusal of %q", err, want)
	case err != nil:
		t.Log(err)
	}
}
