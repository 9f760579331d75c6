package proclet

import (
	"fmt"

	"nuos/mm"
)

// A large proclet is copied while it runs, before it is frozen: it then stands still only for what
// has been written since. Whoever moves it reads its bytes between BeginCopy and EndCopy.

// copying says that a proclet is copied while it runs.
type copying struct {
	watch *mm.Watch
	stop  func()        // asks who reads its bytes to cease
	over  chan struct{} // closed when nobody does any more
}

// Weigh returns how many bytes a proclet has, and whether anybody is likely to notice when it
// stands still: who is inside, or calls it as others have since it came. Of one that could not
// leave when it was asked last, that is not said: it would be copied in vain again.
func (rt *Runtime) Weigh(id ID) (bytes uint64, used bool) {
	r := rt.find(id)
	if r == nil {
		return 0, false
	}
	r.alive.RLock()
	defer r.alive.RUnlock()
	if r.heap == nil {
		return 0, false
	}
	return r.heap.Stats().Mapped, !r.stuck.Load() && (r.gate.inside() > 0 || r.gate.entered() > 0)
}

// BeginCopy has the bytes of a proclet readable, while it runs, until EndCopy or Depart: what
// Changes says is used stays mapped. stop is called if the proclet ends meanwhile, and
// waits for EndCopy. Errors: ErrNoProclet, ErrPinned, ErrBusy if it leaves or is copied already, and
// mm.ErrNoWatch.
func (rt *Runtime) BeginCopy(id ID, stop func()) error {
	r := rt.find(id)
	switch {
	case r == nil:
		return ErrNoProclet
	case r.pinned:
		return ErrPinned
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.uncopied:
		return ErrNoProclet
	case r.copying != nil || r.gate.closed():
		return ErrBusy
	}
	w, err := r.heap.Watch()
	if err != nil {
		return err
	}
	r.copying = &copying{w, stop, make(chan struct{})}
	return nil
}

// Changes describes a proclet between BeginCopy and BeginLeave. What is Changed has
// changed since it was copied; the first time, that is all.
func (rt *Runtime) Changes(id ID) (Description, error) {
	r := rt.find(id)
	if r == nil {
		return Description{}, ErrNoProclet
	}
	return r.describe()
}

// Copied says that what Changes has said to have changed has been copied since.
func (rt *Runtime) Copied(id ID) {
	if r := rt.find(id); r != nil && r.copying != nil {
		r.copying.watch.Copied()
	}
}

// EndCopy ends what BeginCopy began, unless Depart has.
func (rt *Runtime) EndCopy(id ID) {
	r := rt.find(id)
	if r == nil {
		return
	}
	r.mu.Lock()
	c := r.copying
	r.mu.Unlock()
	if c == nil {
		return
	}
	c.watch.End()
	r.mu.Lock()
	r.copying = nil
	r.mu.Unlock()
	close(c.over)
}

// copied ends BeginCopy for a proclet that runs elsewhere now.
func (r *resident) copied() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.copying = nil
}

// uncopy has nobody read the proclet's bytes from now on, since they are about to go.
func (r *resident) uncopy() {
	r.mu.Lock()
	r.uncopied = true
	c := r.copying
	r.mu.Unlock()
	if c != nil {
		c.stop()
		<-c.over
	}
}

// Reserve maps memory for a proclet that is to arrive, but runs elsewhere still, and goes on to: calls for
// it do not wait for it here. The bytes of d.Changed may then be written there. It may be called
// again as the proclet grows and shrinks, until Prepare, for which the memory is, or Discard.
// Errors are those of Prepare; after any of them there is no memory.
func (rt *Runtime) Reserve(d Description) error {
	_, err := d.check()
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if err := rt.mapFor(d, err); err != nil {
		return err
	}
	rt.reserved[d.ID] = d
	return nil
}

// mapFor maps memory for a proclet, unless wrong says that there is to be none. What has been reserved is
// not any more. Called with mu held.
func (rt *Runtime) mapFor(d Description, wrong error) error {
	was, reserved := rt.reserved[d.ID]
	delete(rt.reserved, d.ID)
	switch {
	case wrong != nil:
	case rt.arriving[d.ID] != nil || rt.find(d.ID) != nil:
		wrong = ErrBusy
	case !reserved:
		return mm.PrepareHeap(d.heap(), d.Used)
	case was.Capacity != d.Capacity:
		wrong = fmt.Errorf("%w: capacity %d was %d", mm.ErrHeapRange, d.Capacity, was.Capacity)
	default:
		return mm.ReshapeHeap(d.heap(), was.Used, d.Used)
	}
	if reserved {
		mm.DiscardHeap(was.heap(), was.Used)
	}
	return wrong
}
