package kernel

import "errors"

// ErrNoVector means that all interrupt vectors are in use.
var ErrNoVector = errors.New("kernel: no interrupt vector is free")
