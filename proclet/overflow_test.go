package proclet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// children are what a test lets a process of its own do, by name.
var children = map[string]func(){
	"overflow":         func() { overflow(0, 0) },
	"overflow, called": func() { overflow(1, 0) },
	"overflow, split":  func() { overflow(1, 1) },
	"overflow, moved":  func() { overflow(0, 3) },
}

// overflow has a method overflow its stack, in a chain of so many calls, after so many moves.
func overflow(calls, moves int) {
	t := fatal{}
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	var refs []Ref[cell]
	for range calls + 1 {
		refs = append(refs, mustNew[cell](t, th, Options{On: rts[0].self}))
	}
	for i := range calls {
		if _, err := Call(th, refs[i], (*cell).Link, refs[i+1]); err != nil {
			panic(err)
		}
	}
	f := Go(th, refs[0], (*cell).Overflow, calls)
	last := refs[calls]
	waitFor(t, "the method to pause", func() bool { return paused(rts, last) == 1 })
	for i := range moves {
		move(t, rts[i%2], rts[(i+1)%2], last.id)
	}
	release(t, rts, last)
	fmt.Println(f.Wait(th))
}

// Overflow recurs without end, in a proclet so many calls away.
func (c *cell) Overflow(t *Thread, calls int) (int, error) {
	if calls > 0 {
		return Call(t, c.other, (*cell).Overflow, calls-1)
	}
	c.pause(t)
	return c.recur(0), nil
}

//go:noinline
func (c *cell) recur(n int) int {
	var frame [100]int
	frame[n%100] = n
	return c.recur(n+1) + frame[(n+1)%100]
}

// fatal is the testing.TB of a child.
type fatal struct{ testing.TB }

func (fatal) Helper()                           {}
func (fatal) Cleanup(func())                    {}
func (fatal) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (fatal) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A stack that overflows between calls is one clean report of the Go runtime's, with a
// traceback from the method to where the thread begins, and the end of the machine.
func TestStackOverflow(t *testing.T) {
	needMoves(t)
	for name := range children {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0])
			c.Env = append(os.Environ(), "PROCLET_TEST_CHILD="+name)
			b, err := c.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
				t.Fatalf("%v, %v; it printed:\n%.4000s", err, ctx.Err(), b)
			}
			out := string(b)
			for what, n := range map[string]int{
				"runtime: goroutine stack exceeds": 1, "fatal error: stack overflow": 1, "fatal error:": 1, "panic:": 0, "[signal": 0,
			} {
				if got := strings.Count(out, what); got != n {
					t.Errorf("%q is there %d times, want %d", what, got, n)
				}
			}
			_, stack, _ := strings.Cut(out, "[running]:\n")
			stack, _, _ = strings.Cut(stack, "\n\n")
			for _, frame := range []string{"proclet.(*cell).recur(", "proclet.(*cell).Overflow(", "proclet.signatureOf[...].types.", "fiber.base("} {
				if !strings.Contains(stack, frame) {
					t.Errorf("%s...) is not in the traceback", frame)
				}
			}
			if status := c.ProcessState.ExitCode(); status != 2 {
				t.Errorf("exit status %d", status)
			}
			if t.Failed() {
				t.Logf("it printed:\n%.20000s", out)
			}
		})
	}
}
