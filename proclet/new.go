package proclet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"

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
// ordinary goroutine, holds it; see [Ref].
//
// Errors: ErrType if S cannot be a state type, mm.ErrNoMemory or
// rack.ErrNoAddresses if no machine has room, and what a call can end with.
func New[S any](t *Thread, o Options) (Ref[S], error) {
	id, err := t.runtime().create(kindOf[S]{}, o)
	if err == nil {
		err = t.own(handle{id: id})
	}
	if err != nil {
		return Ref[S]{}, err
	}
	return Ref[S]{id}, nil
}

// create makes a proclet on the machine that o or the placement says.
func (rt *Runtime) create(kind stateKind, o Options) (ID, error) {
	if err := checkState(kind.reflectType()); err != nil {
		return ID{}, err
	}
	capacity, err := o.capacity()
	if err != nil {
		return ID{}, err
	}
	o.Capacity = capacity
	if o.On != 0 {
		return rt.createOn(o.On, kind, o)
	}
	// All machines that take new proclets in turn; if one has no room, the next.
	order := rt.placement()
	if o.Near != nil {
		order = rt.nearest(o.Near.ID(), order)
		o.Near = nil
	}
	var failed error
	for _, m := range order {
		id, err := rt.createOn(m, kind, o)
		if err == nil || !errors.Is(err, rack.ErrNotSent) && !errors.Is(err, mm.ErrNoMemory) && !errors.Is(err, rack.ErrDraining) && !errors.Is(err, rack.ErrNoService) {
			return id, err
		}
		failed = err
	}
	if failed == nil {
		failed = rack.ErrDraining
	}
	return ID{}, failed
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
		if at, err = rt.net.Relocate(context.Background(), id.Gen); err != nil {
			return order // nowhere that we know of
		}
	}
	if i := slices.Index(order, at.Machine); i > 0 {
		order = slices.Insert(slices.Delete(order, i, i+1), 0, at.Machine)
	}
	return order
}

func (rt *Runtime) createOn(m rack.MachineID, kind stateKind, o Options) (ID, error) {
	if m == rt.self {
		return rt.createHere(kind, o)
	}
	b := binary.AppendUvarint([]byte{messageCreate}, uint64(offsetOf(kind)))
	b = binary.AppendUvarint(b, o.Capacity)
	if o.Pinned {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	answer, err := rt.send(m, b)
	if err != nil {
		return ID{}, err
	}
	id, err := (&decoder{answer}).id()
	if err == nil {
		rt.net.Learn(id.Gen, rack.Location{Machine: m})
	}
	return id, err
}

func (rt *Runtime) answerCreate(d *decoder) ([]byte, error) {
	kindAt, err := d.uint()
	if err != nil {
		return nil, err
	}
	capacity, err := d.uint()
	if err != nil {
		return nil, err
	}
	pinned, err := d.flag()
	if err != nil {
		return nil, err
	}
	kind, err := implementation[stateKind](offset(kindAt), kindOf[struct{}]{})
	if err != nil {
		return nil, err
	}
	if err := checkState(kind.reflectType()); err != nil {
		return nil, err
	}
	for _, m := range rt.net.Members() {
		if m.ID == rt.self && m.Draining {
			return nil, rack.ErrDraining
		}
	}
	id, err := rt.createHere(kind, Options{Capacity: capacity, Pinned: pinned})
	if err != nil {
		return nil, err
	}
	return appendID([]byte{answerDone}, id), nil
}

// createHere makes a proclet on this machine. o.Capacity is what the heap gets.
func (rt *Runtime) createHere(kind stateKind, o Options) (id ID, err error) {
	r, err := rt.net.LeaseHeap(o.Capacity)
	if err != nil {
		return ID{}, err
	}
	id = rt.newID(r.Base)
	h, err := mm.CreateHeap(r, id.Gen, rt.build)
	if err != nil {
		rt.net.ReturnHeap(r)
		return ID{}, err
	}
	defer func() {
		if err != nil {
			h.Destroy()
			rt.net.ReturnHeap(r)
		}
	}()
	p, err := h.Alloc(uint64(unsafe.Sizeof(head{})))
	if err != nil {
		return ID{}, err
	}
	hd := (*head)(p)
	if hd.state, err = h.Alloc(uint64(kind.reflectType().Size())); err != nil {
		return ID{}, fmt.Errorf("state type %v: %w", kind.reflectType(), err)
	}
	hd.kind, hd.pinned = offsetOf(kind), o.Pinned
	hd.refs.n.Store(1) // the maker's
	h.SetRoot(p)
	rt.newResident(id, h, kind).settle()
	rt.net.Publish(id.Gen, rack.Location{Machine: rt.self})
	return id, nil
}
