package proclet

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// What the values that a container holds own in the heap, such as the bytes of
// their Strings and what is in their Slices and Maps. An ownership says where in a
// value of some type something is that owns.
type ownership struct {
	parts  []ownedPart
	counts bool // some of them hold counts
}

type ownedPart struct {
	offset uintptr
	owner  owner
}

// owner is what the values of one type do with what they own. p points to a
// value, which lies at its final place or will be copied there byte for byte.
type owner interface {
	// adopt makes the value, a plain copy of one that a container was given, own
	// what belongs to it. On an error it owns nothing.
	adopt(t *Thread, p unsafe.Pointer) error

	// release gives back what the value owns. It must not be used afterwards.
	release(t *Thread, p unsafe.Pointer)
}

// element is a type of values in containers.
type element struct {
	size uintptr
	typ  reflect.Type
	once sync.Once
	owns *ownership // set by once, because types may contain themselves
}

// elements are the types of values in containers. recentElements saves most
// searches: each place holds the last one whose address falls on it.
var (
	elements       sync.Map // *typeHeader -> *element
	recentElements [256]atomic.Pointer[element]
)

// errNotEmpty: a value with something in its containers was given to a
// container. What is in them can have only one owner.
var errNotEmpty = errors.New("proclet: a value given to a container must have empty containers; fill them in place")

func elementOf(t reflect.Type) *element {
	h := headerOf(t)
	recent := &recentElements[uintptr(unsafe.Pointer(h))/64%uintptr(len(recentElements))]
	if e := recent.Load(); e != nil && headerOf(e.typ) == h {
		return e
	}
	e, ok := elements.Load(h)
	if !ok {
		e, _ = elements.LoadOrStore(h, &element{size: t.Size(), typ: t})
	}
	recent.Store(e.(*element))
	return e.(*element)
}

// ownership returns what values of the type own; nil if nothing.
func (e *element) ownership() *ownership {
	e.once.Do(func() {
		o := &ownership{}
		o.add(e.typ, 0)
		if len(o.parts) > 0 {
			e.owns = o
		}
	})
	return e.owns
}

// ownershipOf returns what values of type T own; nil if nothing.
func ownershipOf[T any]() *ownership { return elementOf(reflect.TypeFor[T]()).ownership() }

// countsIn reports whether values of type T hold counts, so that making a copy
// own its own may take time, in which other calls go on.
func countsIn[T any]() bool {
	o := ownershipOf[T]()
	return o != nil && o.counts
}

func (o *ownership) add(t reflect.Type, at uintptr) {
	if c := containerOf(t); c != nil {
		_, counts := c.owner.(countOwner)
		o.counts = o.counts || counts
		o.parts = append(o.parts, ownedPart{at, c.owner})
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			o.add(t.Field(i).Type, at+t.Field(i).Offset)
		}
	case reflect.Array:
		for i := range t.Len() {
			o.add(t.Elem(), at+uintptr(i)*t.Elem().Size())
		}
	}
}

// adopt makes the value at p, which is a plain copy of one that a container was
// given, own copies of what that refers to. The copy comes into the heap only
// afterwards: nothing there points out of it, not even for a moment, and others may
// be looking. On an error it owns nothing, and must not be used.
func (o *ownership) adopt(t *Thread, p unsafe.Pointer) error {
	if o == nil {
		return nil
	}
	at := noescape(p) // no owner keeps it
	for i, part := range o.parts {
		if err := part.owner.adopt(t, unsafe.Add(at, part.offset)); err != nil {
			done := ownership{parts: o.parts[:i]}
			done.undo(t, p)
			return err
		}
	}
	return nil
}

// release gives back what the value at p owns. The value must not be used
// afterwards.
func (o *ownership) release(t *Thread, p unsafe.Pointer) {
	if o == nil {
		return
	}
	at := noescape(p)
	for _, part := range o.parts {
		part.owner.release(t, unsafe.Add(at, part.offset))
	}
}

// Free gives back what the value at v owns and makes it the zero value. It is
// for what a container has handed over, see [Slice.Pop], and for whole structs
// of containers.
func Free[T any](t *Thread, v *T) {
	ownershipOf[T]().release(t, unsafe.Pointer(v))
	clear(unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)))
}
