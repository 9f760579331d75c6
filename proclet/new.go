package proclet

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"nuos/mm"
	"nuos/rack"
)

// DefaultCapacity is the capacity of a proclet whose Options name none.
const DefaultCapacity = 4 << 20

// Options say how a proclet is made. The zero value is a good choice.
type Options struct {
	// Capacity is how many bytes the heap may grow to. Only addresses are set
	// aside for it; memory is taken as the heap grows. It is rounded up to a
	// power of two of at least 64 KiB. 0 means DefaultCapacity.
	Capacity uint64

	// Pinned keeps the proclet on the machine where it was made.
	Pinned bool

	// On is the machine to make it on. 0 spreads proclets over the machines.
	On rack.MachineID

	// Near is a Ref or a Weak: the proclet is made on the machine where that one
	// lives at the moment, if there is room, unless On is given.
	Near interface{ ID() ID }
}

// capacity returns the capacity that a heap for o gets.
func (o Options) capacity() (uint64, error) {
	c := o.Capacity
	switch {
	case c == 0:
		c = DefaultCapacity
	case c > mm.MaxHeap:
		return 0, fmt.Errorf("%w: capacity %d", mm.ErrHeapRange, c)
	}
	return max(uint64(1)<<bits.Len64(c-1), mm.MinHeap), nil
}

// New makes a proclet with the zero value of S as its state. t's method, or the
// ordinary goroutine, holds it; see [Ref]. It is a safe point.
//
// Errors: ErrType if S cannot be a state type, mm.ErrNoMemory or
// rack.ErrNoAddresses if no machine has room, and what a call can end with. After
// ErrMaybeExecuted there is no proclet either, at the latest a while later.
func New[S any](t *Thread, o Options) (Ref[S], error) {
	id, err := t.create(kindOf[S]{}, o)
	return Ref[S]{id}, err
}

func (t *Thread) create(kind stateKind, o Options) (ID, error) {
	if err := checkState(kind.reflectType()); err != nil {
		return ID{}, err
	}
	capacity, err := o.capacity()
	if err != nil {
		return ID{}, err
	}
	var near ID
	if o.Near != nil {
		near = o.Near.ID()
	}
	on, pinned, rt := o.On, o.Pinned, t.runtime()
	return t.fetch(func() (ID, error) { return rt.create(kind, capacity, pinned, on, near) })
}

// create makes a proclet on a machine, or where the placement says if that is 0,
// near another proclet if that is not zero. Its maker holds it.
func (rt *Runtime) create(kind stateKind, capacity uint64, pinned bool, on rack.MachineID, near ID) (ID, error) {
	if on != 0 {
		return rt.createOn(on, kind, capacity, pinned)
	}
	// All machines that take new proclets in turn; if one has no room, the next.
	order := rt.placement()
	if !near.IsZero() {
		order = rt.nearest(near, order)
	}
	var failed error
	for _, m := range order {
		id, err := rt.createOn(m, kind, capacity, pinned)
		if err == nil || !isElsewherePossible(err) {
			return id, err
		}
		failed = err
	}
	if failed == nil {
		failed = rack.ErrDraining
	}
	return ID{}, failed
}

// isElsewherePossible reports whether a proclet that a machine has not made, because
// of err, may be made by another one.
func isElsewherePossible(err error) bool {
	for _, reason := range []error{rack.ErrNotSent, mm.ErrNoMemory, rack.ErrDraining, rack.ErrNoService, ErrLost} {
		if errors.Is(err, reason) && !errors.Is(err, ErrMaybeExecuted) {
			return true
		}
	}
	return false
}

// placement returns the machines in the order in which they are to be asked to
// hold the next proclet. Each machine that makes proclets goes round on its own.
func (rt *Runtime) placement() (order []rack.MachineID) {
	var all []rack.MachineID
	self := 0
	for _, m := range rt.net.Members() {
		if m.Draining {
			continue
		}
		if m.ID == rt.self {
			self = len(all)
		}
		all = append(all, m.ID)
	}
	if len(all) == 0 {
		return nil
	}
	next := (self + int(rt.placing.Add(1)-1)) % len(all)
	return append(append(order, all[next:]...), all[:next]...)
}

// nearest puts the machine where a proclet lives first, if it is in order.
func (rt *Runtime) nearest(id ID, order []rack.MachineID) []rack.MachineID {
	at := rack.Location{Machine: rt.self}
	if rt.find(id) == nil {
		var err error
		s := search{rt: rt, id: id, from: directory}
		if at, err = s.locate(context.Background()); err != nil {
			return order // nowhere that we know of
		}
	}
	if i := slices.Index(order, at.Machine); i > 0 {
		order = slices.Insert(slices.Delete(order, i, i+1), 0, at.Machine)
	}
	return order
}
