package proclet

import (
	"time"

	"nuos/mm"
	"nuos/rack"
)

// Info describes a proclet that lives on this machine.
type Info struct {
	ID       ID     `json:"-"`
	Type     string `json:"type"`
	Name     string `json:"name,omitempty"`
	Capacity uint64 `json:"capacity"`
	Mapped   uint64 `json:"mapped"` // bytes of frames
	Used     uint64 `json:"used"`   // bytes allocated
	Pinned   bool   `json:"pinned,omitempty"`
	Leaving  bool   `json:"leaving,omitempty"`
	Moves    uint64 `json:"moves"`
	Calls    uint64 `json:"calls"`
}

// Description is what the machine that a proclet moves to needs to know before
// the bytes come.
type Description struct {
	ID       ID
	Capacity uint64
	Mapped   uint64     // bytes to map from the start of the heap
	Type     uint64     // state type, as an offset in the program
	Moves    uint64     // how often it has moved, this move not counted
	Used     []mm.Range // bytes to send; everything else need not be kept
}

// Proclets lists the proclets that live on this machine, in the order of their
// addresses.
func (rt *Runtime) Proclets() []Info { panic("proclet: being written") }

// BeginLeave closes the gate of a proclet: new calls wait, and BeginLeave
// returns when the calls inside have ended. If that takes longer than bound the
// gate is opened again and the error is ErrBusy. ErrPinned, ErrNoProclet.
func (rt *Runtime) BeginLeave(id ID, bound time.Duration) error { panic("proclet: being written") }

// Reopen undoes BeginLeave: waiting calls go in.
func (rt *Runtime) Reopen(id ID) { panic("proclet: being written") }

// Describe describes a proclet whose gate is closed.
func (rt *Runtime) Describe(id ID) (Description, error) { panic("proclet: being written") }

// Depart ends what BeginLeave began when the proclet has become to's: waiting
// and later callers are sent there. The heap's memory is given back in the
// background; the channel is closed when it is.
func (rt *Runtime) Depart(id ID, to rack.MachineID) <-chan struct{} { panic("proclet: being written") }

// Prepare maps memory for a proclet that is to arrive, at the addresses where it
// lives now. The bytes of d.Used may then be written. Calls do not see it.
func (rt *Runtime) Prepare(d Description) error { panic("proclet: being written") }

// Adopt makes a prepared proclet, whose bytes have arrived, live here.
func (rt *Runtime) Adopt(d Description) error { panic("proclet: being written") }

// Discard undoes Prepare.
func (rt *Runtime) Discard(id ID) { panic("proclet: being written") }
