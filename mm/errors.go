package mm

import "errors"

var (
	// ErrNoMemory: there are not enough free frames, or not enough of them in
	// a row. Nothing was changed.
	ErrNoMemory = errors.New("mm: out of memory")

	// ErrRange: the range is empty, not page aligned, or not in the area that
	// the operation is for.
	ErrRange = errors.New("mm: bad address range")

	// ErrMapped: a page of the range is already mapped. Nothing was changed.
	ErrMapped = errors.New("mm: range is already mapped")

	// ErrNotMapped: a page of the range is not mapped. Nothing was changed.
	ErrNotMapped = errors.New("mm: range is not mapped")
)
