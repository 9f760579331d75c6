package rack

import (
	"errors"
	"fmt"
)

// What a call can end with. The error of Call is a *CallError; these are what
// errors.Is finds in it. SendBulk and ReceiveBulk return the cause itself.
var (
	// ErrLost means that the other machine's incarnation has been declared
	// dead. What lived there is lost.
	ErrLost = errors.New("rack: the machine has died")
	// ErrUnreachable means that the other machine has not been heard for as
	// long as death takes, but that nobody could declare it dead: the
	// directory has no majority. What lives there may come back.
	ErrUnreachable = errors.New("rack: the machine does not answer")
	// ErrNotSent means that the request has certainly not been executed.
	ErrNotSent = errors.New("rack: the request was not executed")
	// ErrMaybeExecuted means that the request may have been executed, once.
	ErrMaybeExecuted = errors.New("rack: the request may have been executed")
	// ErrTooLarge means that a request or a reply exceeds MaxMessage.
	ErrTooLarge = errors.New("rack: message too large")
	// ErrNoService means that the other machine handles no such service.
	ErrNoService = errors.New("rack: no such service")
	// ErrAborted means that the other side gave up a bulk transfer.
	ErrAborted = errors.New("rack: bulk transfer given up by the other side")
	// ErrBulkSize means that both sides of a bulk transfer named different
	// sizes.
	ErrBulkSize = errors.New("rack: the two sides of a bulk transfer differ in size")
	// ErrCorrupt means that a bulk transfer arrived with the wrong checksum.
	ErrCorrupt = errors.New("rack: bulk transfer arrived with a wrong checksum")
	// ErrTransferBusy means that a bulk transfer of that number is going on
	// with that machine already.
	ErrTransferBusy = errors.New("rack: transfer number in use")
)

// What the rack itself can answer.
var (
	// ErrNoDirectory means that there is no directory now, because no majority
	// of those who keep a copy hear each other. What is already there goes on.
	ErrNoDirectory = errors.New("rack: no directory")
	// ErrFenced means that the others have declared this incarnation dead; it
	// must not serve any longer.
	ErrFenced = errors.New("rack: this machine has been declared dead by the others")
	// ErrRefused means that the rack does not take this machine, because it
	// runs another build.
	ErrRefused = errors.New("rack: refused")
	// ErrDraining means that the machine takes nothing new.
	ErrDraining = errors.New("rack: the machine is draining")
	// ErrNoAddresses means that the heap area is leased out.
	ErrNoAddresses = errors.New("rack: no heap addresses left")
	// ErrNotFound means that nobody has published the proclet or bound the
	// name.
	ErrNotFound = errors.New("rack: not found")
	// ErrClosed means that this machine has left the rack.
	ErrClosed = errors.New("rack: closed")
	// ErrParameter means that a Config or boot parameter cannot be understood.
	ErrParameter = errors.New("rack: bad parameter")
	// ErrForbidden means that an observer called a service that is not
	// administrative.
	ErrForbidden = errors.New("rack: not allowed for observers")
)

// CallError is how a call failed. errors.Is finds Executed (ErrNotSent or
// ErrMaybeExecuted) and Cause in it.
type CallError struct {
	To       MachineID
	Service  Service
	Executed error // ErrNotSent or ErrMaybeExecuted
	Cause    error // ErrLost, ErrUnreachable, ErrFenced, ErrClosed, context errors, ...
}

func (e *CallError) Error() string {
	return fmt.Sprintf("call of service %d on machine %d: %v: %v", e.Service, e.To, e.Cause, e.Executed)
}

// Unwrap gives errors.Is and errors.As both halves.
func (e *CallError) Unwrap() []error { return []error{e.Executed, e.Cause} }

// RemoteError is what a handler answered with Request.Fail. Sentinel errors of
// this package keep their identity on the way.
type RemoteError struct {
	Text     string
	sentinel error // of this package, or nil
}

func (e *RemoteError) Error() string { return e.Text }
func (e *RemoteError) Unwrap() error { return e.sentinel }
