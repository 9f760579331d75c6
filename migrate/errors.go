package migrate

import "errors"

// Why a move was not made. The proclet is where it was and serves.
var (
	// ErrSameMachine means that the proclet lives on the destination already.
	ErrSameMachine = errors.New("migrate: the proclet is on that machine already")
	// ErrNoMachine means that the destination is not a member of the rack.
	ErrNoMachine = errors.New("migrate: no such machine")
	// ErrRefused means that the destination does not take the proclet now; the
	// text says why.
	ErrRefused = errors.New("migrate: refused by the destination")
	// ErrTransfer means that the bytes did not arrive, or not sound.
	ErrTransfer = errors.New("migrate: transfer failed")
)

// ErrLost means that the destination died when it owned the proclet already,
// and the proclet with it.
var ErrLost = errors.New("migrate: the destination died with the proclet")

// ErrMessage means that a message of another migrator cannot be understood.
var ErrMessage = errors.New("migrate: malformed message")
