package gotest

import "errors"

// ErrNotKept: with Options.Kept, the folder has no result of these tests.
var ErrNotKept = errors.New("no result is kept")
