package port

import "errors"

// Errors of Open, wrapped with what was wrong.
var (
	// ErrNoNIC means that the machine has no network card that we drive, or
	// that hosted none is named.
	ErrNoNIC = errors.New("no NIC")
	// ErrParameter means that ip= or nic= cannot be understood.
	ErrParameter = errors.New("bad boot parameter")
)
