package proclet

import (
	"errors"
	"fmt"

	"nuos/mm"
)

// Errors of calls. They keep their identity on the way between machines, so
// errors.Is works on what a call returns wherever the proclet lives.
var (
	// ErrNoProclet: the reference names no proclet: it was destroyed, or the
	// reference is the zero value. The call was not executed.
	ErrNoProclet = errors.New("proclet: no such proclet")

	// ErrLost: the machine that held the proclet died, and the proclet with it.
	// The call was not executed.
	ErrLost = errors.New("proclet: lost with the machine it lived on")

	// ErrMaybeExecuted: the machine died, or the answer could not be kept,
	// between the sending of the call and its answer. The call was executed once
	// or not at all.
	ErrMaybeExecuted = errors.New("proclet: call may or may not have been executed")

	// ErrHeapFull: the proclet's heap has no room for the operation, which
	// changed nothing.
	ErrHeapFull = mm.ErrHeapFull

	// ErrType: a type cannot be a state type, an argument or a result. The
	// message names the field.
	ErrType = errors.New("proclet: type not allowed")

	// ErrMethod: what was given as method is not a method expression but a
	// function that captures variables.
	ErrMethod = errors.New("proclet: not a method expression")

	// ErrNoName: nothing is bound to the name.
	ErrNoName = errors.New("proclet: name not bound")

	// ErrNameTaken: the name is bound to another proclet.
	ErrNameTaken = errors.New("proclet: name taken")

	// ErrKept: a Promise has its value, or an error, already.
	ErrKept = errors.New("proclet: promise was kept before")

	// ErrPinned: the proclet may not leave its machine.
	ErrPinned = errors.New("proclet: pinned to its machine")

	// ErrNoObject: a remote pointer points to an object that has been freed.
	ErrNoObject = errors.New("proclet: no such object")

	// ErrNotOwned: the caller does not own what it gives back or away.
	ErrNotOwned = errors.New("proclet: not owned by the caller")

	// ErrHeld: a thread inside the proclet cannot leave, because something on its
	// stack belongs to the machine. The error says what and where.
	ErrHeld = errors.New("proclet: held by a thread")

	// ErrStackFull: the calling thread has too little stack left for another call,
	// or no room for its argument or result. The call was not executed, or its
	// result is lost.
	ErrStackFull = errors.New("proclet: stack full")

	// ErrTooManyThreads: the proclet has MaxThreads threads.
	ErrTooManyThreads = errors.New("proclet: too many threads")

	// ErrDeadline: the deadline of the call has passed. errors.Is finds
	// context.DeadlineExceeded in it, too, and ErrMaybeExecuted if the call had been
	// sent: the method may have been executed or may yet be. Otherwise it was not.
	ErrDeadline error = deadlineError{}

	// ErrCancelled: the call was cancelled. errors.Is finds context.Canceled in it,
	// too, and ErrMaybeExecuted unless it was certainly not executed.
	ErrCancelled error = cancelledError{}

	// ErrExited: the method ended its thread with runtime.Goexit.
	ErrExited = errors.New("proclet: the method ended its thread")

	// ErrBusy: calls inside the proclet did not end within the bound, or it is
	// leaving already.
	ErrBusy = errors.New("proclet: calls inside did not end in time")
)

// PanicError is what a caller gets when the method it called panicked. The
// panic ends the call, not the machine; the proclet's state is what the method
// left behind.
type PanicError struct {
	Value string // the value of the panic, formatted
	Stack string // the stack of the method at the panic
}

func (e *PanicError) Error() string { return fmt.Sprintf("proclet: method panicked: %s", e.Value) }
