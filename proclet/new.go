package proclet

import "nuos/rack"

// DefaultCapacity is the capacity of a proclet whose Options name none.
const DefaultCapacity = 4 << 20

// Options say how a proclet is made. The zero value is a good choice.
type Options struct {
	// Capacity is how many bytes the heap may grow to: addresses that are set
	// aside, memory is taken as it grows. It is rounded up to a power of two of
	// at least 64 KiB. 0 means DefaultCapacity.
	Capacity uint64

	// Pinned keeps the proclet on the machine where it was made.
	Pinned bool

	// On is the machine to make it on. 0 spreads proclets over the machines.
	On rack.MachineID
}

// New makes a proclet with the zero value of S as its state.
//
// Errors: ErrType if S cannot be a state type, mm.ErrNoMemory or
// rack.ErrNoAddresses if the machine has no room, and those of [Call].
func New[S any](t *Thread, o Options) (Ref[S], error) { panic("proclet: being written") }

// Destroy ends a proclet: calls inside are waited for, later ones get
// ErrNoProclet, and its memory is given back.
func Destroy[S any](t *Thread, ref Ref[S]) error { panic("proclet: being written") }
