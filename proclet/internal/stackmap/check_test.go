package stackmap

import (
	"strings"
	"testing"
)

// Where the frames end that leave checks, and what it found.
var (
	hi      uintptr
	outcome error
	passed  int
)

// leave checks the frames from its caller to mark's.
//
//go:noinline
func leave() {
	pc, sp, bp := caller()
	d, p := chains()
	outcome = Check(pc, sp, bp, Stack{Lo: sp, Hi: hi, Defer: d, Panic: p})
	passed++
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
