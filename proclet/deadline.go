package proclet

import (
	"context"
	"fmt"
	"time"
)

// A deadline belongs to a call and goes with it: the calls that the method makes
// have no later one. It ends the waiting of callers, not methods: one that runs for long asks
// Err now and then. What it calls after its deadline is not executed.

// CallWithin is [Call] with a deadline d from now, or that of t's method if that is
// earlier. If the answer has not come by then the error is ErrDeadline.
//
// A method on the caller's own machine runs on the caller's stack, and so the
// caller has no choice but to wait until it returns, unless one of their proclets has
// moved since the call; its result counts even if it is late. An ordinary goroutine does
// not wait longer anywhere.
//
// Machines tell each other how much time is left, not what time it is; the time
// that this takes on the way is not counted. What a Ref in a result that comes too late
// holds, it holds for ever.
func CallWithin[S, A, R any](t *Thread, d time.Duration, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) (res R, err error) {
	if t.heap == nil {
		return GoWithin(t, d, ref, method, arg).waitFor(t, d)
	}
	before := t.narrow(d)
	res, err = Call(t, ref, method, arg)
	t.until = before
	return res, err
}

// Deadline returns when the deadline of t's method is, by the proclet's clock, see
// [Thread.Now], and whether it has one.
func (t *Thread) Deadline() (time.Time, bool) {
	if t.until == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, int64(t.until)).UTC(), true
}

// Err returns ErrDeadline if the deadline of t's method has passed, ErrCancelled if
// nobody wants its result any more, see [Future.Cancel], and nil otherwise. A method that works for
// long without calling anybody asks now and then, and returns what Err returns.
func (t *Thread) Err() error {
	if t.until != 0 && t.clock() >= t.until {
		return ErrDeadline
	}
	if t.depth != 0 && t.root.kind == rootCalled && t.cancelled() {
		return ErrCancelled
	}
	return nil
}

// deadline is until when t's method may wait for answers.
func (t *Thread) deadline() clock {
	if t.until == 0 {
		return never
	}
	return t.until
}

// narrow sets a deadline d from now unless there is an earlier one, and returns
// what was there.
func (t *Thread) narrow(d time.Duration) (before clock) {
	before = t.until
	if c := t.clock() + clock(max(d, 0)); before == 0 || c < before {
		t.until = c
	}
	return before
}

// left returns how many nanoseconds are left, at least 1; 0 if there is no
// deadline. It means the same to every clock.
func (t *Thread) left() uint64 {
	if t.until == 0 {
		return 0
	}
	return uint64(max(t.until-t.clock(), 1))
}

// setLeft sets the deadline of a method that begins.
func (t *Thread) setLeft(left uint64) {
	t.until = 0
	if left != 0 {
		t.until = t.clock() + clock(min(left, uint64(never)/4))
	}
}

type deadlineError struct{}

func (deadlineError) Error() string        { return "proclet: deadline exceeded" }
func (deadlineError) Timeout() bool        { return true }
func (deadlineError) Is(target error) bool { return target == context.DeadlineExceeded }

type cancelledError struct{}

func (cancelledError) Error() string        { return "proclet: call cancelled" }
func (cancelledError) Is(target error) bool { return target == context.Canceled }

// What callers get who have waited in vain.
var (
	errLate    = fmt.Errorf("%w: %w", ErrMaybeExecuted, ErrDeadline)
	errGivenUp = fmt.Errorf("%w: %w", ErrMaybeExecuted, ErrCancelled)
)
