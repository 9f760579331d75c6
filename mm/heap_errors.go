package mm

import "errors"

// Errors of heaps.
var (
	// ErrHeapFull: the heap has no room for an object of that size. Nothing was
	// changed.
	ErrHeapFull = errors.New("mm: heap full")

	// ErrHeapRange: the addresses or the capacity cannot be those of a heap.
	ErrHeapRange = errors.New("mm: not a range for a heap")

	// ErrHeapCorrupt: the bytes are not those of the heap that was expected, or
	// its allocator's state is inconsistent.
	ErrHeapCorrupt = errors.New("mm: heap corrupt")
)
