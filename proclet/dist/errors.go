package dist

import (
	"errors"

	"nuos/proclet"
)

var (
	// ErrRange: an index is not below the length of the Vector.
	ErrRange = errors.New("dist: index out of range")

	// ErrClosed: the Queue has been closed and has nothing more to give, or, for a
	// Push, nothing more to take.
	ErrClosed = errors.New("dist: queue closed")

	// ErrEmpty: TryPop found nothing in the Queue.
	ErrEmpty = errors.New("dist: queue empty")

	// ErrCancelled: the job of an Executor was cancelled.
	ErrCancelled = errors.New("dist: job cancelled")
)

// Answers of shards that callers never see.
var (
	// errElsewhere: the place is not in this shard, or is about to leave it. The
	// caller looks again where it is. Nothing was done.
	errElsewhere = errors.New("dist: place is not in this shard")

	// errByMethod marks errors of functions that were run at a shard, so that they
	// are not taken for errors of the call.
	errByMethod = errors.New("dist: error of the function that was applied")
)

func init() {
	proclet.RegisterErrors(ErrRange, ErrClosed, ErrEmpty, ErrCancelled, errElsewhere, errByMethod)
}

// byMethod marks err as the error of a function that was run at a shard.
type byMethod struct{ err error }

func (e byMethod) Error() string   { return e.err.Error() }
func (e byMethod) Unwrap() []error { return []error{e.err, errByMethod} }
