package proclet

import (
	"reflect"
	"unsafe"
)

// Ptr owns one object of type T in the proclet's heap, or none, as its zero value
// does: for state that is there only sometimes, for what must stay where it is,
// and for lists and trees. T may be what a field of a state type may be, and may
// contain Ptr[T]. A Ptr must not be assigned to a second place; see [Ptr.Take].
type Ptr[T any] struct {
	p *T
}

// Get returns the object, or nil. It is valid until it is replaced or freed.
func (p *Ptr[T]) Get() *T { return p.p }

// New makes a zero object and returns it. The one that was there is freed.
// ErrHeapFull changes nothing.
func (p *Ptr[T]) New(t *Thread) (*T, error) {
	var zero T
	m, err := t.heapOf().Alloc(uint64(unsafe.Sizeof(zero)))
	if err != nil {
		return nil, err
	}
	p.Free(t)
	p.p = (*T)(m)
	return p.p, nil
}

// Set makes an object that is a copy of v, Strings included. Containers in v must
// be empty: fill them in place. The object that was there is freed. ErrHeapFull
// changes nothing.
func (p *Ptr[T]) Set(t *Thread, v T) error {
	if err := claimAll(t, &v); err != nil {
		return err
	}
	m, err := t.heapOf().Alloc(uint64(unsafe.Sizeof(v)))
	if err != nil {
		return err
	}
	if err := ownershipOf[T]().adopt(t, unsafe.Pointer(&v)); err != nil {
		t.heapOf().Free(m)
		return err
	}
	*(*T)(m) = v
	p.Free(t)
	p.p = (*T)(m)
	return nil
}

// Take leaves p empty and returns the object's new owner, to be assigned to an
// empty Ptr:
//
//	n.next = list.first.Take()
func (p *Ptr[T]) Take() Ptr[T] {
	q := *p
	p.p = nil
	return q
}

// Free frees the object and what it owns, if there is one. A list of Ptrs of any
// length may be freed at once, if the last Ptr in its objects is the one that
// links them; a tree may be as deep as the stack allows.
func (p *Ptr[T]) Free(t *Thread) {
	if p.p != nil {
		ptrOwner{elementOf(reflect.TypeFor[T]())}.release(t, unsafe.Pointer(p))
		p.p = nil
	}
}

// ptrOwner is the owner of Ptrs to elem.
type ptrOwner struct{ elem *element }

func (*Ptr[T]) container() containerType {
	elem := reflect.TypeFor[T]()
	return containerType{self: reflect.TypeFor[Ptr[T]](), elem: elem, owner: ptrOwner{elementOf(elem)}}
}

func (ptrOwner) adopt(t *Thread, p unsafe.Pointer) error {
	if *(*unsafe.Pointer)(p) != nil {
		return errNotEmpty
	}
	return nil
}

func (o ptrOwner) release(t *Thread, p unsafe.Pointer) {
	h := t.heapOf()
	for m := *(*unsafe.Pointer)(p); m != nil; {
		var next unsafe.Pointer
		owns := o.elem.ownership()
		if owns != nil {
			rest := *owns
			if last, at, ok := rest.lastPtr(); ok { // not recursively: a list may be long
				next, o = *(*unsafe.Pointer)(unsafe.Add(m, at)), last
			}
			rest.release(t, m)
		}
		h.Free(m)
		m = next
	}
}

// lastPtr takes the last of the parts out, if that is a Ptr, and returns it.
func (o *ownership) lastPtr() (last ptrOwner, offset uintptr, ok bool) {
	n := len(o.parts) - 1
	if last, ok = o.parts[n].owner.(ptrOwner); ok {
		offset, o.parts = o.parts[n].offset, o.parts[:n]
	}
	return last, offset, ok
}
