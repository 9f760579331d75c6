package image

import (
	"errors"
	"fmt"
)

var (
	// ErrNoGo: the go command is not installed or not in PATH.
	ErrNoGo = errors.New("image: no go command found; install Go and put its bin directory into PATH")

	// ErrNotMain: the package exists but is not a program.
	ErrNotMain = errors.New("image: not a main package; name the folder of a program, such as ./images/hello")

	// ErrNoTests: the package has no test files, so there is nothing to run.
	ErrNoTests = errors.New("image: no test files")

	// ErrNoSources: the sources of nuos, which are linked into every image,
	// are not where the command was built and not in the current module.
	ErrNoSources = errors.New("image: the sources of nuos are not found; run nuos in its source tree")

	// ErrFormat: the linked file cannot be made bootable. The error that
	// wraps it says why.
	ErrFormat = errors.New("image: cannot make a bootable file")
)

// BuildError is a failure of the go command, with what it printed.
type BuildError struct {
	Command string // such as "go build"
	Output  string
	Err     error
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("image: %s: %v\n%s", e.Command, e.Err, e.Output)
}

func (e *BuildError) Unwrap() error { return e.Err }
