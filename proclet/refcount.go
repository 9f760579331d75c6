package proclet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"nuos/rack"
)

// The number of those who hold a proclet is in its head, and moves with it. It
// starts with the one who made the proclet; when it is zero it stays so, and the
// proclet ends. Counting is done where the proclet lives, at once if that is
// here, and otherwise by a message with an identity like that of a call: it takes
// effect exactly once, however often it is sent.
type refcount struct{ n atomic.Uint64 }

// retain counts one more, unless the count is zero.
func (c *refcount) retain() bool {
	for {
		n := c.n.Load()
		if n == 0 {
			return false
		}
		if c.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release counts n less and reports whether those were the last. ok is false,
// and nothing has changed, if there were fewer.
func (c *refcount) release(n uint64) (last, ok bool) {
	for {
		old := c.n.Load()
		if n == 0 || n > old {
			return false, false
		}
		if c.n.CompareAndSwap(old, old-n) {
			return old == n, true
		}
	}
}

// countOp is what is done to a count.
type countOp uint8

const (
	countRetain  countOp = iota
	countRelease         // of a Ref, RemoteUnique or RemoteShared
	countFree            // of an object to which only raw pointers point
)

// count changes the count of a proclet, or of an object in it. The caller is
// inside.
func (r *resident) count(o objectID, op countOp, n uint64) error {
	if o != (objectID{}) {
		return r.countObject(o, op, n)
	}
	switch op {
	case countRetain:
		if !r.head.refs.retain() {
			return ErrNoProclet
		}
		return nil
	case countRelease:
		last, ok := r.head.refs.release(n)
		if !ok {
			return fmt.Errorf("%w: %d of %d counts of %v", ErrNotOwned, n, r.head.refs.n.Load(), r.id)
		}
		if last {
			r.endUnused()
		}
		return nil
	}
	return fmt.Errorf("%w: count %d", errMalformed, op)
}

// endUnused ends a proclet that nobody holds, in the background. If it moves
// meanwhile, it is followed; if the machine dies, the next one that adopts it
// does the same.
func (r *resident) endUnused() {
	r.rt.releases.began()
	go func() {
		defer r.rt.releases.ended()
		for {
			err := r.rt.destroy(r.id)
			var p *PanicError
			switch {
			case err == nil, isGone(err), errors.Is(err, rack.ErrFenced), errors.Is(err, rack.ErrClosed):
				return
			case errors.As(err, &p), errors.Is(err, ErrExited):
				log.Printf("proclet: ending %v, which nobody holds: %v", r.id, describe(err))
				return
			}
			time.Sleep(retryAfter) // it has moved to where it cannot be reached at the moment
		}
	}()
}

// retain acquires one more count of h, and does not say who owns it. Errors:
// ErrNoProclet, ErrNoObject, and what a call can end with. It is a safe point.
func (t *Thread) retain(h handle) error { return t.changeCount(h, countRetain) }

// changeCount does op to the count of h, once, wherever that is.
func (t *Thread) changeCount(h handle, op countOp) error {
	if h.id.IsZero() {
		return ErrNoProclet
	}
	rt := t.runtime()
	if r := rt.find(h.id); r != nil && r.gate.enter(t.isInside(h.id)) {
		defer r.gate.uncount()
		return r.count(h.object, op, 1)
	}
	back := t.isInside(h.id)
	_, err := t.errand(func() (ID, error) {
		c := rt.newCounting(h, op, 1)
		c.back = back
		return ID{}, c.askFirst()
	}, func(ID) {
		if op == countRetain {
			rt.giveBack(h, 1)
		}
	})
	return err
}

// counting is one change of a count that is made by message.
type counting struct {
	rt   *Runtime
	h    handle
	op   countOp
	n    uint64
	back bool // the chain of calls that does it is inside the proclet
	sl   slot
	done bool // the slot is free again
	undo bool // give back what was retained
}

func (rt *Runtime) newCounting(h handle, op countOp, n uint64) *counting {
	return &counting{rt: rt, h: h, op: op, n: n, sl: rt.slots.take(h.id)}
}

// askFirst is ask for somebody who does not ask again. If it is not known whether
// a count was acquired, that is found out in the background, and undone.
func (c *counting) askFirst() error {
	err := c.ask()
	if !c.done {
		c.undo = c.op == countRetain
		c.rt.releases.add(c)
	}
	return err
}

// ask has the count changed. It may be called again after an error, unless done
// is set.
func (c *counting) ask() error {
	b := appendID([]byte{messageCount}, c.h.id)
	for _, v := range [...]uint64{uint64(c.sl.number), c.sl.seq, c.h.object.place, c.h.object.serial, uint64(c.op), c.n} {
		b = binary.AppendUvarint(b, v)
	}
	b = appendFlag(b, c.back)
	s := c.rt.search(c.h.id, b)
	answer, err := s.ask(b)
	if s.strays {
		c.sl.strays()
	}
	if err != nil {
		for _, gone := range []error{ErrNoProclet, ErrLost} {
			if errors.Is(err, gone) { // whether it was counted before does not matter any more
				c.done = true
				c.rt.slots.drop(c.h.id, 1)
				return gone
			}
		}
		if !errors.Is(err, ErrMaybeExecuted) && c.op == countRetain {
			c.done = true
			c.rt.slots.put(c.h.id, c.sl)
		}
		return err
	}
	if answer[0] == answerFailed {
		err = (&decoder{answer[1:]}).failure()
		if errors.Is(err, ErrHeapFull) && c.op != countRetain {
			return err // no room for its identity: it was not tried
		}
	}
	c.done = true
	c.rt.slots.put(c.h.id, c.sl)
	return err
}

// answerCount changes a count for another machine.
func (rt *Runtime) answerCount(from rack.MachineID, d *decoder, to reply) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	var v [6]uint64
	for i := range v {
		if v[i], err = d.uint(); err != nil {
			return nil, err
		}
	}
	if v[0] > 1<<32-1 || v[4] > uint64(countFree) {
		return nil, fmt.Errorf("%w: slot %d, count %d", errMalformed, v[0], v[4])
	}
	back, err := d.flag()
	if err != nil {
		return nil, err
	}
	caller := Thread{rt: rt.index}
	if back {
		caller.inside = []ID{id}
	}
	r := rt.enter(&caller, id)
	if r == nil {
		return rt.away(id), nil
	}
	defer r.gate.uncount()
	call := callID{from, uint32(v[0]), v[1]}
	answer, begun, err := r.once.begin(call, to)
	if !begun {
		return answer, err
	}
	answer = []byte{answerDone}
	if err := r.count(objectID{v[2], v[3]}, countOp(v[4]), v[5]); err != nil {
		answer = failed(err)
	}
	r.once.end(call, answer).all(answer)
	return nil, nil
}
