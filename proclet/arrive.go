package proclet

import (
	"fmt"

	"nuos/mm"
	"nuos/rack"
)

// arrival is a proclet that is on its way here. Calls for it wait.
type arrival struct {
	d     Description
	kind  stateKind
	since clock         // of the machine: when it was announced
	over  chan struct{} // closed when it has arrived or will not
	heap  *mm.Heap      // when the bytes have been verified
}

func (d *Description) heap() mm.Range { return mm.Range{Base: mm.Virt(d.ID.Addr), Size: d.Capacity} }

// Prepare maps memory for a proclet that is to arrive, at the addresses where it
// lives now, or takes what was reserved for it. The bytes of d.Changed may then be written there; the rest
// of d.Used has been. Calls for it wait until Adopt or Discard.
//
// Errors: ErrBusy if it is arriving already, ErrType if d names no state type,
// and those of mm.PrepareHeap, among them mm.ErrNoMemory.
func (rt *Runtime) Prepare(d Description) error {
	kind, err := d.check()
	a := &arrival{d: d, kind: kind, since: machineClock(), over: make(chan struct{})}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if err := rt.mapFor(d, err); err != nil {
		return err
	}
	rt.arriving[d.ID] = a
	return nil
}

// check says what is wrong with a description that has arrived.
func (d *Description) check() (stateKind, error) {
	kind, err := implementation[stateKind](offset(d.Kind), kindOf[struct{}]{})
	if err != nil {
		return nil, err
	}
	for _, u := range d.Used {
		if u.Base < d.heap().Base || u.End() < u.Base || u.End() > d.heap().Base+mm.Virt(d.Mapped) {
			return nil, fmt.Errorf("%w: %#x used of %d bytes at %#x", mm.ErrHeapRange, u, d.Mapped, d.ID.Addr)
		}
	}
	return kind, nil
}

// Adopt makes a prepared proclet, whose bytes have arrived, live here. Its
// number of moves rises by one. If the bytes are not those of the proclet the
// error is mm.ErrHeapCorrupt, and Discard is still to be called.
func (rt *Runtime) Adopt(id ID) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	a := rt.arriving[id]
	if a == nil {
		return ErrNoProclet
	}
	if a.heap == nil {
		if err := a.verify(rt.build); err != nil {
			return err
		}
	}
	h := a.heap
	hd := (*head)(h.Root())
	hd.moves++
	hd.ahead = hd.left - a.since // its clock ran on while the bytes came
	r := rt.newResident(id, h, a.kind)
	r.gate.count(hd.frozen.n + 1) // one more, so that it stays until we are done with it
	delete(rt.arriving, id)
	delete(rt.departed.at, id)
	r.settle()
	close(a.over)
	rt.net.Publish(id.Gen, rack.Location{Machine: rt.self, Moves: r.moves})
	r.reviveAll()
	r.orphan(rt.dead())
	unused := r.head.refs.n.Load() == 0
	r.gate.uncountFrozen(1)
	if unused {
		r.endUnused() // the machine that was about to may be dead
	}
	return nil
}

// Verify says whether the bytes of a prepared proclet have arrived, so that Adopt
// will succeed. Errors are those of Adopt.
func (rt *Runtime) Verify(id ID) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	a := rt.arriving[id]
	if a == nil {
		return ErrNoProclet
	}
	return a.verify(rt.build)
}

// verify sees whether the heap is the one that was announced.
func (a *arrival) verify(build uint64) error {
	h, err := mm.AdoptHeap(a.d.heap(), a.d.Used, a.d.ID.Gen, build)
	if err != nil {
		return err
	}
	if hd := (*head)(h.Root()); hd.kind != offset(a.d.Kind) || hd.moves != a.d.Moves {
		return fmt.Errorf("%w: state type %#x, %d moves; announced were %#x, %d", mm.ErrHeapCorrupt, hd.kind, hd.moves, a.d.Kind, a.d.Moves)
	}
	a.heap = h
	return nil
}

// Discard undoes Prepare or Reserve. It does nothing if the proclet is not arriving.
func (rt *Runtime) Discard(id ID) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if d, reserved := rt.reserved[id]; reserved {
		mm.DiscardHeap(d.heap(), d.Used)
		delete(rt.reserved, id)
		rt.cleared.happened() // it may have ended, and another may have its addresses
		return
	}
	a := rt.arriving[id]
	if a == nil {
		return
	}
	mm.DiscardHeap(a.d.heap(), a.d.Used)
	delete(rt.arriving, id)
	close(a.over)
}

// awaitArrival waits if the proclet is on its way here, and reports whether it
// was or has arrived.
func (rt *Runtime) awaitArrival(id ID) bool {
	rt.mu.Lock()
	a := rt.arriving[id]
	arrived := a == nil && rt.find(id) != nil
	rt.mu.Unlock()
	if a == nil {
		return arrived
	}
	<-a.over
	return true
}
