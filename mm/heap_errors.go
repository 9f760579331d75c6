package mm

import "errors"

// Errors of heaps.
var (
	// ErrHeapFull: the heap has no room for an object of that size. Nothing was
	// changed.
	ErrHeapFull = errors.New("mm: heap full")
)
