package fiber_test

import (
	"fmt"
	"runtime"
	"testing"

	"nuos/proclet/internal/fiber"
)

//go:noinline
func overflow(n int) int {
	var frame [100]int
	frame[n%100] = n
	return overflow(n+1) + frame[(n+1)%100]
}

func init() {
	children["overflow"] = func() {
		hooked(fatal{})
		start(1, func(f *fiber.Fiber) { headerOf(f).n = overflow(0) })
		select {}
	}
	children["panic"] = func() {
		hooked(fatal{})
		start(1, func(f *fiber.Fiber) { f.Call(func(*fiber.Fiber) { panic("nobody's") }) })
		select {}
	}
}

// fatal is the testing.TB of a child.
type fatal struct{ testing.TB }

func (fatal) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// TestFatal verifies that what cannot go well is one clean report.
func TestFatal(t *testing.T) {
	needMovable(t)
	for _, test := range []struct{ name, report, place string }{
		{"overflow", "fatal error: stack overflow", "fiber_test.overflow"},
		{"panic", "panic: nobody's", "fiber_test.init"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, out := child(t, test.name)
			if status != 2 || count(out, test.report) != 1 || count(out, "fatal error")+count(out, "panic:") != 1 ||
				count(out, test.place) == 0 || count(out, "[signal") != 0 {
				t.Errorf("exit status %d:\n%.4000s", status, out)
			}
		})
	}
}

// TestSetting verifies that a program gets the setting it needs and keeps its own.
func TestSetting(t *testing.T) {
	needMovable(t)
	for _, value := range []string{"", "inittrace=1", "gcshrinkstackoff=0", "gcshrinkstackoff=1,gcshrinkstackoff=0,inittrace=1"} {
		status, out := child(t, "check", "GODEBUG="+value)
		if traced := count(value, "inittrace") > 0; status != 0 || count(out, "init runtime @") > 0 != traced {
			t.Errorf("GODEBUG=%s: exit status %d, it printed:\n%s", value, status, out)
		}
	}
}

func init() {
	children["check"] = func() {
		if err := fiber.Check(); err != nil {
			panic(err)
		}
	}
}

// TestGoexit verifies that Goexit runs the deferred calls and ends the fiber.
func TestGoexit(t *testing.T) {
	fs := hooked(t)
	for range 3 {
		start(1, func(f *fiber.Fiber) {
			defer func() { headerOf(f).n++ }()
			f.Call(func(f *fiber.Fiber) {
				defer func() { headerOf(f).n += 10 }()
				runtime.Goexit()
			})
			headerOf(f).n = 1000
		})
		f := <-fs.ended
		if n := headerOf(f).n; n != 11 {
			t.Errorf("deferred calls counted up to %d; want 11", n)
		}
		f.Free()
	}
}
