package monitor

import "errors"

// ErrClosed: the connection ended, usually because the machine has.
var ErrClosed = errors.New("the emulator has closed the monitor")

// CommandError is QEMU's answer to a command that it could not carry out.
type CommandError struct {
	Command string
	Class   string // such as GenericError or CommandNotFound
	Reason  string // QEMU's own words
}

func (e *CommandError) Error() string { return "monitor: " + e.Command + ": " + e.Reason }
