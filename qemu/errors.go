package qemu

import (
	"errors"
	"fmt"

	"nuos/boot"
)

var (
	// ErrNoQEMU: the emulator is not installed. The message says how to get it.
	ErrNoQEMU = errors.New("qemu-system-x86_64 is not installed: run `apt-get install -y qemu-system-x86`")

	// ErrReset: the machine was reset or powered off without an exit code, as a
	// processor does after a triple fault.
	ErrReset = errors.New("the machine was reset without giving an exit code")

	// ErrKilled: the machine was ended from outside, by Kill, Stop, a cancelled
	// context or a signal.
	ErrKilled = errors.New("the machine was killed")

	// ErrLaunch: the machine never began; the message is the emulator's own.
	ErrLaunch = errors.New("the machine did not start")

	// ErrLongLine: parameters, environment and arguments are more than a machine
	// has room for. Files of the boot archive have no such limit.
	ErrLongLine = fmt.Errorf("parameters, environment and arguments have more than %d bytes", boot.MaxCommandLine)

	// ErrRunning: the folder is in use by a rack that runs.
	ErrRunning = errors.New("a rack is running already: stop it first (`nuos stop`), or choose another name")

	// ErrNotRunning: no rack runs in that folder.
	ErrNotRunning = errors.New("no rack is running")

	// ErrHosted: there is no machine to look into.
	ErrHosted = errors.New("it is an ordinary process of this computer: use gdb -p, or pprof")

	// ErrStopped: the rack was stopped.
	ErrStopped = errors.New("the rack was stopped")
)
