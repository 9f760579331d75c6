package proclet

import (
	"fmt"
	"reflect"
	"unsafe"
)

// each calls f for every count that the value at p stands for, until f fails.
func (p *plan) each(v unsafe.Pointer, f func(h handle, unique bool) error) error {
	if !p.counted {
		return nil
	}
	switch p.kind {
	case planCounted:
		kind := countedKind(p.typ)
		return f(kind.at(v), kind == countedUnique)
	case planSlice:
		s := *(*sliceHeader)(v)
		return p.elem.eachOf(s.data, s.len, f)
	case planArray:
		return p.elem.eachOf(v, p.n, f)
	case planPointer:
		if q := *(*unsafe.Pointer)(v); q != nil {
			return p.elem.each(q, f)
		}
	case planStruct:
		for _, part := range p.parts {
			if err := part.plan.each(unsafe.Add(v, part.offset), f); err != nil {
				return err
			}
		}
	case planMap:
		for it := reflect.NewAt(p.typ, v).Elem().MapRange(); it.Next(); {
			if err := p.key.each(addressOf(it.Key()), f); err != nil {
				return err
			}
			if err := p.elem.each(addressOf(it.Value()), f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *plan) eachOf(v unsafe.Pointer, n int, f func(h handle, unique bool) error) error {
	for i := range n {
		if err := p.each(unsafe.Add(v, uintptr(i)*p.size), f); err != nil {
			return err
		}
	}
	return nil
}

// Values that stand for counts pass between methods in two steps. An argument is
// lent: its caller holds what is in it until the call has ended. A result is
// given: handOver takes the counts for it out of what the callee owns, or
// acquires them, and receive makes them the caller's. In between they belong to
// the copy of the result that is on its way.

// handOver takes the counts for the result at v of t's method. It is a safe point
// if p.counted; on an error the method still owns what it did.
func (t *Thread) handOver(p *plan, v unsafe.Pointer) error {
	if !p.counted {
		return nil
	}
	err := p.each(v, t.claim)
	if err == nil {
		if err = t.acquireClaimed(true); err != nil {
			err = fmt.Errorf("%w: a proclet in its result could not be asked: %w", ErrMaybeExecuted, err)
		}
	}
	if err != nil {
		t.unclaim()
		return err
	}
	t.takeClaimed()
	return nil
}

// receive makes t's method own the counts for the result at v of a call that it
// has made. On an error all of them have been given back.
func (t *Thread) receive(p *plan, v unsafe.Pointer) (err error) {
	p.each(v, func(h handle, _ bool) error {
		switch {
		case h.id.IsZero():
		case err != nil:
			t.runtime().giveBack(h, 1)
		default:
			err = t.own(h)
		}
		return nil
	})
	return err
}

// abandon gives back the counts for the result at v of a call, which nobody is
// going to have.
func (rt *Runtime) abandon(p *plan, v unsafe.Pointer) {
	p.each(v, func(h handle, _ bool) error {
		if !h.id.IsZero() {
			rt.giveBack(h, 1)
		}
		return nil
	})
}

// abandonEncoded is abandon for a result that has not been decoded.
func (rt *Runtime) abandonEncoded(p *plan, d *decoder) {
	if !p.counted {
		return
	}
	v := reflect.New(p.typ).UnsafePointer()
	if p.decode(v, d, &arena{}) == nil {
		rt.abandon(p, v)
	}
}
