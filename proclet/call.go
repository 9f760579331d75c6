package proclet

// Call calls a method of the proclet that ref refers to, wherever it lives, and
// waits for the result:
//
//	n, err := proclet.Call(t, ref, (*Counter).Add, "requests")
//
// arg is copied into the proclet's heap and is there only until the method
// returns; the result is copied back. The method is executed exactly once, or
// the error is one of ErrNoProclet, ErrLost, ErrMaybeExecuted.
func Call[S, A, R any](t *Thread, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) (R, error) {
	panic("proclet: being written")
}

// Go starts a call and returns at once. arg has been copied when Go returns.
func Go[S, A, R any](t *Thread, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) *Future[R] {
	panic("proclet: being written")
}

// Future is the result, to come, of a call started with [Go].
type Future[R any] struct{ _ [0]R }

// Wait waits for the call to end and returns what it returned. It may be called
// more than once and by several goroutines.
func (f *Future[R]) Wait(t *Thread) (R, error) { panic("proclet: being written") }
