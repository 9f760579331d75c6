package proclet

import (
	"fmt"
	"sync"
	"time"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
	"nuos/rack"
)

// Description is what the machine that a proclet moves to needs to know before
// the bytes come.
type Description struct {
	ID       ID
	Capacity uint64
	Mapped   uint64     // bytes to map from the start of the heap
	Kind     uint64     // state type, as an offset in the program
	Moves    uint64     // how often it has moved, this move not counted
	Used     []mm.Range // what to keep; the rest of the heap need not be copied
	Changed  []mm.Range // what to copy: all of Used but what has been copied since BeginCopy
}

// leaving is the attempt of a proclet to leave.
type leaving struct {
	refused chan error // the first refusal of a thread
}

func (l *leaving) refuse(err error) {
	select {
	case l.refused <- fmt.Errorf("%w: %w", ErrHeld, err):
	default:
	}
}

// BeginLeave closes the gate of a proclet: new calls wait, and BeginLeave
// returns when the threads inside have ended or are frozen. If that takes longer than
// bound, or a thread cannot leave, the gate is opened again and they go on. Errors: ErrBusy, also
// if the proclet is leaving already; ErrHeld with a reason; ErrPinned; ErrNoProclet if it does not live here.
func (rt *Runtime) BeginLeave(id ID, bound time.Duration) error {
	r := rt.find(id)
	switch {
	case r == nil:
		return ErrNoProclet
	case r.pinned:
		return ErrPinned
	}
	drained, err := r.gate.shut()
	if err != nil {
		return err
	}
	interleave("a gate is shut")
	l := &leaving{refused: make(chan error, 1)}
	r.mu.Lock()
	r.leaving.Store(l)
	r.deadlines.forget()
	n := r.head.frozen.n
	r.mu.Unlock()
	r.gate.uncountFrozen(n)
	interleave("a proclet leaves")
	if fiber.Movable {
		r.freezeInside(l)
	}
	err = r.gate.empty(drained, max(bound, 0), l.refused)
	if r.stuck.Store(err != nil); err != nil {
		r.stay()
		return err
	}
	interleave("nobody is inside")
	r.freeze()
	return nil
}

// stay ends the attempt to leave: frozen threads are counted again, and those that can
// run do.
func (r *resident) stay() {
	r.mu.Lock()
	r.leaving.Store(nil)
	r.gate.count(r.head.frozen.n + 1) // one more, so that it stays until we are done with it
	r.sleepOn()
	r.mu.Unlock()
	interleave("a proclet stays")
	r.gate.open()
	interleave("a gate is open again")
	r.reviveAll()
	r.gate.uncountFrozen(1)
}

// Reopen undoes BeginLeave: waiting calls go in.
func (rt *Runtime) Reopen(id ID) {
	if r := rt.find(id); r != nil && r.leaving.Load() != nil {
		r.thaw()
		r.stay()
	}
}

// Describe describes a proclet for which BeginLeave has succeeded.
func (rt *Runtime) Describe(id ID) (Description, error) {
	r := rt.find(id)
	if r == nil {
		return Description{}, ErrNoProclet
	}
	r.head.moves = r.moves
	r.head.left = r.clock()
	r.head.calls = r.calls()
	if r.copying != nil {
		r.copying.watch.Settle()
	}
	return r.describe()
}

// describe describes a proclet that does not change, or is copied while it runs.
func (r *resident) describe() (d Description, err error) {
	d = Description{ID: r.id, Capacity: r.heap.Range().Size, Kind: uint64(r.head.kind), Moves: r.moves}
	if r.copying != nil {
		d.Used, d.Changed, err = r.copying.watch.Changed()
	} else {
		d.Used = r.heap.Used()
		d.Changed = d.Used
	}
	if err == nil {
		d.Mapped = uint64(d.Used[len(d.Used)-1].End()) - d.ID.Addr
	}
	return d, err
}

// calls returns how many calls the proclet has had, here and elsewhere.
func (r *resident) calls() uint64 { return r.earlier + r.gate.entered() }

// Depart ends what BeginLeave began, when the proclet has become to's: waiting
// and later callers are sent there. The heap's memory is given back in the
// background; the channel is closed when it is.
func (rt *Runtime) Depart(id ID, to rack.MachineID) <-chan struct{} {
	freed := make(chan struct{})
	r := rt.find(id)
	if r == nil {
		close(freed)
		return freed
	}
	at := rack.Location{Machine: to, Moves: r.moves + 1}
	rt.mu.Lock()
	rt.departed.add(id, at)
	rt.mu.Unlock()
	rt.net.Learn(id.Gen, at)
	r.unsettle()
	r.copied()
	r.gate.end()
	r.once.redirect(movedTo(answerFollow, at))
	go func() {
		defer close(freed)
		r.abandonAsleep()
		r.destroyHeap()
		rt.cleared.happened()
	}()
	return freed
}

// occasion tells those who wait that something has happened, whatever it was.
type occasion struct {
	mu sync.Mutex
	ch chan struct{} // nil: nobody waits
}

// next returns a channel that is closed when it happens next.
func (o *occasion) next() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ch == nil {
		o.ch = make(chan struct{})
	}
	return o.ch
}

func (o *occasion) happened() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ch != nil {
		close(o.ch)
		o.ch = nil
	}
}

// departures remembers where the proclets went that have left last. What has
// been forgotten the directory knows.
type departures struct {
	at    map[ID]rack.Location
	order [4096]ID // in the order of their departure
	next  int
}

func (d *departures) add(id ID, at rack.Location) {
	if d.at == nil {
		d.at = map[ID]rack.Location{}
	}
	if _, known := d.at[id]; !known {
		delete(d.at, d.order[d.next])
		d.order[d.next] = id
		d.next = (d.next + 1) % len(d.order)
	}
	d.at[id] = at
}

// departure returns where a proclet went that has lived here.
func (rt *Runtime) departure(id ID) (rack.Location, bool) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	at, ok := rt.departed.at[id]
	return at, ok
}
