package fiber

import "errors"

var (
	// ErrNotMovable: the program was built with the race detector, so its fibers
	// are ordinary goroutines.
	ErrNotMovable = errors.New("fiber: cannot leave a goroutine under the race detector")

	// ErrImage: the bytes are no image of a fiber of this program.
	ErrImage = errors.New("fiber: bad image")

	// ErrOccupied: the region is in use on this machine, by another part of the
	// same fiber or by a fiber that has not been given up with Free or Depart.
	ErrOccupied = errors.New("fiber: region is occupied")

	// ErrPanicking: a panic or a runtime.Goexit is running deferred functions of
	// frames below a boundary, so the stack cannot be cut there.
	ErrPanicking = errors.New("fiber: a panic has crossed a boundary")
)
