package proclet

import (
	"fmt"
	"reflect"
	"unsafe"
)

// objectTable is a proclet's table of the objects that remote pointers point to.
// A pointer names an object by its place in the table and a serial number, which
// is compared before the object is touched: so a pointer to what is no more is
// noticed. The table lies in the heap. It is guarded by resident.objects.
type objectTable struct {
	entries  unsafe.Pointer // *[cap]objectEntry
	len, cap uint64
	live     uint64 // entries that are not free
	free     uint64 // place of a free entry, or 0
	serial   uint64 // the last one that was given
}

type objectEntry struct {
	serial  uint64 // 0 if the entry is free
	p       unsafe.Pointer
	kind    offset // of the type
	holders uint64 // RemoteUniques and RemoteShareds, calls, and the one that Free ends; 0: it is being freed
	next    uint64 // free entries
	raw     bool   // the proclet is not held for it, and Free has not been called
	freed   bool   // Free has been called
}

const firstObjects = 8

func (tb *objectTable) at(place uint64) *objectEntry {
	return (*objectEntry)(unsafe.Add(tb.entries, (place-1)*uint64(unsafe.Sizeof(objectEntry{}))))
}

// find returns the entry of an object, or nil if it is no more.
func (tb *objectTable) find(o objectID) *objectEntry {
	if o.place == 0 || o.place > tb.len {
		return nil
	}
	if e := tb.at(o.place); e.serial == o.serial && e.holders > 0 {
		return e
	}
	return nil
}

// addObject enters the object at p, which belongs to the table from now on, and
// has one holder.
func (r *resident) addObject(p unsafe.Pointer, kind offset, raw bool) (objectID, error) {
	r.objects.Lock()
	defer r.objects.Unlock()
	tb := &r.head.objects
	place := tb.free
	if place == 0 {
		if tb.len == tb.cap {
			if err := r.growObjects(tb); err != nil {
				return objectID{}, err
			}
		}
		place = tb.len + 1
	}
	if !raw && !r.head.refs.retain() {
		return objectID{}, ErrNoProclet
	}
	if place == tb.free {
		tb.free = tb.at(place).next
	} else {
		tb.len = place
	}
	tb.serial++
	tb.live++
	*tb.at(place) = objectEntry{serial: tb.serial, p: p, kind: kind, holders: 1, raw: raw}
	return objectID{place, tb.serial}, nil
}

func (r *resident) growObjects(tb *objectTable) error {
	c := max(firstObjects, 2*tb.cap)
	size := uint64(unsafe.Sizeof(objectEntry{}))
	p, err := r.heap.Alloc(c * size)
	if err != nil {
		return err
	}
	copy(unsafe.Slice((*byte)(p), tb.len*size), unsafe.Slice((*byte)(tb.entries), tb.len*size))
	if tb.entries != nil {
		r.heap.Free(tb.entries)
	}
	tb.entries, tb.cap = p, c
	return nil
}

// countObject changes the count of an object.
func (r *resident) countObject(o objectID, op countOp, n uint64) error {
	r.objects.Lock()
	e := r.head.objects.find(o)
	var err error
	switch {
	case e == nil:
		err = ErrNoObject
	case op == countRetain && e.freed:
		err = ErrNoObject
	case op == countRetain:
		e.holders++
	case op == countFree && !e.raw:
		err = fmt.Errorf("%w: only what NewRemote made can be freed", ErrNotOwned)
	case op == countFree && e.freed:
		err = ErrNoObject
	case n == 0 || n > e.holders:
		err = fmt.Errorf("%w: %d of %d counts of an object", ErrNotOwned, n, e.holders)
	default:
		e.freed = e.freed || op == countFree
		e.holders -= n
	}
	if err != nil || e.holders > 0 {
		r.objects.Unlock()
		return err
	}
	ended := *e
	tb := &r.head.objects
	*e = objectEntry{next: tb.free}
	tb.free = o.place
	if tb.live--; tb.live == 0 { // serials go on, so that old pointers stay stale
		r.heap.Free(tb.entries)
		*tb = objectTable{serial: tb.serial}
	}
	r.objects.Unlock()

	ended.destroy(r)
	if !ended.raw {
		return r.count(objectID{}, countRelease, 1)
	}
	return nil
}

// destroy gives back what an object that is not in the table any more owns.
func (e *objectEntry) destroy(r *resident) {
	if kind, err := implementation[stateKind](e.kind, kindOf[struct{}]{}); err == nil {
		elementOf(kind.reflectType()).ownership().release(r.visitor(), e.p)
	}
	r.heap.Free(e.p)
}

// visitor returns a Thread for somebody who is inside without being a call, and
// does not wait.
func (r *resident) visitor() *Thread { return &Thread{heap: r.heap, id: r.id, rt: r.rt.index} }

// newObject makes an object in the proclet of t's method. It is a safe point.
func newObject[T any](t *Thread, v T, raw bool) (o objectID, err error) {
	t.heapOf()
	if err := checkObject(reflect.TypeFor[T]()); err != nil {
		return o, err
	}
	if err := claimAll(t, &v); err != nil {
		return o, err
	}
	h := t.heapOf()
	p, err := h.Alloc(max(1, uint64(unsafe.Sizeof(v))))
	if err != nil {
		t.unclaim()
		return o, err
	}
	if err := ownershipOf[T]().adopt(t, unsafe.Pointer(&v)); err != nil {
		h.Free(p)
		return o, err
	}
	*(*T)(p) = v
	o, err = t.runtime().find(t.id).addObject(p, offsetOf[stateKind](kindOf[T]{}), raw)
	if err != nil {
		ownershipOf[T]().release(t, p)
		h.Free(p)
	}
	return o, err
}

// holdObject returns the address of an object of t's proclet, which stays there
// until t's method has ended and its result has been copied.
func (t *Thread) holdObject(o objectID, kind offset, size uintptr) (unsafe.Pointer, error) {
	r := t.runtime().find(t.id)
	if o.serial == 0 {
		if at := uintptr(o.place - 1); o.place != 0 && at+size >= at && at+size <= r.typ.size {
			return unsafe.Add(r.state, at), nil
		}
		return nil, ErrNoObject
	}
	h := handle{t.id, o}
	n, err := t.newHold(h, holdFree)
	if err != nil {
		return nil, err
	}
	if err := r.count(o, countRetain, 1); err != nil {
		return nil, err
	}
	n.state = holdOwned
	r.objects.Lock()
	defer r.objects.Unlock()
	e := r.head.objects.find(o)
	if e.kind != kind {
		return nil, fmt.Errorf("%w: a remote pointer to an object of another type", ErrType)
	}
	return e.p, nil
}
