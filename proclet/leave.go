package proclet

import (
	"time"

	"nuos/mm"
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
	Used     []mm.Range // what to copy; the rest of the heap need not be kept
}

// BeginLeave closes the gate of a proclet: new calls wait, and BeginLeave
// returns when the calls inside have ended. If that takes longer than bound the
// gate is opened again. Errors: ErrBusy, also if the proclet is leaving already;
// ErrPinned; ErrNoProclet if it does not live here.
func (rt *Runtime) BeginLeave(id ID, bound time.Duration) error {
	r := rt.find(id)
	switch {
	case r == nil:
		return ErrNoProclet
	case r.head.pinned:
		return ErrPinned
	}
	err := r.gate.close(max(bound, 0))
	if err == nil {
		r.freeze()
	}
	return err
}

// Reopen undoes BeginLeave: waiting calls go in.
func (rt *Runtime) Reopen(id ID) {
	if r := rt.find(id); r != nil {
		r.thaw()
		r.gate.open()
	}
}

// Describe describes a proclet for which BeginLeave has succeeded.
func (rt *Runtime) Describe(id ID) (Description, error) {
	r := rt.find(id)
	if r == nil {
		return Description{}, ErrNoProclet
	}
	r.head.moves = r.moves
	r.head.calls = r.calls()
	return Description{
		ID:       id,
		Capacity: r.heap.Range().Size,
		Mapped:   r.heap.Extent(),
		Kind:     uint64(r.head.kind),
		Moves:    r.moves,
		Used:     r.heap.Used(),
	}, nil
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
	r.gate.end()
	go func() {
		defer close(freed)
		r.destroyHeap()
	}()
	return freed
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
