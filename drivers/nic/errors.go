package nic

import "errors"

// ErrClosed is what Wait returns once the device is closed.
var ErrClosed = errors.New("nic: device is closed")
