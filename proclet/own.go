package proclet

import (
	"reflect"
	"unsafe"
)

// What the state holds. A field is set with Set and cleared with Drop, a value
// given to a container is adopted like one that owns memory: the state takes
// over a count that the method owns, which costs nothing, or acquires one of its
// own. What is freed, overwritten, or left when the proclet ends, is given back.

// countOwner is how values that hold counts behave in containers.
type countOwner struct{ kind countedType }

func (c countOwner) adopt(t *Thread, p unsafe.Pointer) error {
	h := c.kind.at(p)
	if h.id.IsZero() {
		return nil
	}
	if !t.take(h) { // a container that has not claimed it: this may wait
		if err := t.claim(h, c.kind == countedUnique); err != nil {
			return err
		}
		if err := t.acquireClaimed(false); err != nil {
			return err
		}
		t.take(h)
	}
	err := t.keep(h)
	if err != nil {
		t.own(h)
	}
	return err
}

func (c countOwner) release(t *Thread, p unsafe.Pointer) {
	if h := c.kind.at(p); !h.id.IsZero() && t.unkeep(h) {
		t.runtime().giveBack(h, 1)
	}
}

func (*Ref[S]) container() containerType {
	return containerType{self: reflect.TypeFor[Ref[S]](), owner: countOwner{countedRef}, passes: true}
}

func (*RemoteUnique[T]) container() containerType {
	return containerType{self: reflect.TypeFor[RemoteUnique[T]](), owner: countOwner{countedUnique}, passes: true}
}

func (*RemoteShared[T]) container() containerType {
	return containerType{self: reflect.TypeFor[RemoteShared[T]](), owner: countOwner{countedShared}, passes: true}
}

// claimAll makes sure that t's method has a count for everything in *v that holds
// one, for adopt to take. It is a safe point. On an error what was claimed stays
// with the method.
func claimAll[T any](t *Thread, v *T) error {
	if !countsIn[T]() {
		return nil
	}
	err := ownershipOf[T]().claim(t, unsafe.Pointer(v))
	if err == nil {
		err = t.acquireClaimed(false)
	}
	if err != nil {
		t.unclaim()
	}
	return err
}

// claim claims a count for everything in the value at p that holds one.
func (o *ownership) claim(t *Thread, p unsafe.Pointer) error {
	for _, part := range o.parts {
		if c, ok := part.owner.(countOwner); ok {
			if err := t.claim(c.kind.at(unsafe.Add(p, part.offset)), c.kind == countedUnique); err != nil {
				return err
			}
		}
	}
	return nil
}

// undo is release for a value that was adopted in vain: the counts that it has
// become t's method's, who had them, or might have had.
func (o *ownership) undo(t *Thread, p unsafe.Pointer) {
	if o == nil {
		return
	}
	at := noescape(p)
	for _, part := range o.parts {
		c, ok := part.owner.(countOwner)
		if !ok {
			part.owner.release(t, unsafe.Add(at, part.offset))
		} else if h := c.kind.at(unsafe.Add(at, part.offset)); !h.id.IsZero() && t.unkeep(h) {
			t.own(h)
		}
	}
}

// Own makes t's method the owner of the Refs, RemoteUniques and RemoteShareds in
// *v, which a container has handed over: see [Slice.Pop]. They are given back when
// the method has returned, unless it has stored them or returns them.
// ErrHeapFull gives them back at once.
func Own[T any](t *Thread, v *T) (err error) {
	o := ownershipOf[T]()
	if o == nil {
		return nil
	}
	for _, part := range o.parts {
		c, ok := part.owner.(countOwner)
		if !ok {
			continue
		}
		h := c.kind.at(unsafe.Add(unsafe.Pointer(v), part.offset))
		switch {
		case h.id.IsZero() || !t.unkeep(h):
		case err == nil:
			err = t.own(h)
		default:
			t.runtime().giveBack(h, 1)
		}
	}
	return err
}

// setCounted makes *p, a part of the state, hold h.
func setCounted(t *Thread, p *handle, h handle, unique bool) error {
	t.heapOf()
	if *p == h && (h.id.IsZero() || t.keeps(h)) {
		return nil
	}
	if err := t.claim(h, unique); err != nil {
		return err
	}
	if err := t.acquireClaimed(false); err != nil {
		t.unclaim()
		return err
	}
	if !h.id.IsZero() {
		if err := t.keep(h); err != nil {
			t.unclaim()
			return err
		}
		t.take(h)
	}
	old := *p
	*p = h
	if !old.id.IsZero() && old != h && t.unkeep(old) { // if it is h it was assigned
		t.runtime().giveBack(old, 1)
	}
	return nil
}

// dropCounted gives back what *p, a part of the state, holds.
func dropCounted(t *Thread, p *handle) {
	t.heapOf()
	old := *p
	*p = handle{}
	if !old.id.IsZero() && t.unkeep(old) {
		t.runtime().giveBack(old, 1)
	}
}
