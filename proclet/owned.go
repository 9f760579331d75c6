package proclet

import (
	"errors"
	"reflect"
	"sync"
	"unsafe"

	"nuos/mm"
)

// What the values that a container holds own in the heap: the bytes of their
// Strings and what is in their Slices and Maps. ownership says where in a value
// of some type these are.
type ownership struct {
	strings []uintptr
	slices  []ownedSlice
	maps    []ownedMap
}

type ownedSlice struct {
	offset uintptr
	elem   *element
}

type ownedMap struct {
	offset    uintptr
	key, elem *element
	layout    nodeLayout
}

// element is a type of values in containers.
type element struct {
	size uintptr
	typ  reflect.Type
	once sync.Once
	owns *ownership // set by once, because types may contain themselves
}

var elements sync.Map // *typeHeader -> *element

// errNotEmpty: a value with something in its Slices or Maps was given to a
// container. What is in them can have only one owner.
var errNotEmpty = errors.New("proclet: a value given to a container must have empty Slices and Maps; fill them in place")

func elementOf(t reflect.Type) *element {
	h := headerOf(t)
	if e, ok := elements.Load(h); ok {
		return e.(*element)
	}
	e, _ := elements.LoadOrStore(h, &element{size: t.Size(), typ: t})
	return e.(*element)
}

// ownership returns what values of the type own; nil if nothing.
func (e *element) ownership() *ownership {
	e.once.Do(func() {
		o := &ownership{}
		o.add(e.typ, 0)
		if len(o.strings)+len(o.slices)+len(o.maps) > 0 {
			e.owns = o
		}
	})
	return e.owns
}

func (o *ownership) add(t reflect.Type, at uintptr) {
	if t == stringType {
		o.strings = append(o.strings, at)
		return
	}
	if key, elem := containerOf(t); key != nil {
		o.maps = append(o.maps, ownedMap{at, elementOf(key), elementOf(elem), layoutOf(key, elem)})
		return
	} else if elem != nil {
		o.slices = append(o.slices, ownedSlice{at, elementOf(elem)})
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
// given, own copies of what that refers to. On an error it owns nothing, and
// must not be used.
func (o *ownership) adopt(h *mm.Heap, p unsafe.Pointer) error {
	if o == nil {
		return nil
	}
	for _, s := range o.slices {
		if (*sliceHead)(unsafe.Add(p, s.offset)).len != 0 {
			return errNotEmpty
		}
		*(*sliceHead)(unsafe.Add(p, s.offset)) = sliceHead{} // the room of an emptied Slice is its owner's
	}
	for _, m := range o.maps {
		if (*mapHead)(unsafe.Add(p, m.offset)).table != nil {
			return errNotEmpty
		}
	}
	for i, at := range o.strings {
		s := (*String)(unsafe.Add(p, at))
		c, err := newString(h, s.s)
		if err != nil {
			for _, at := range o.strings[:i] {
				(*String)(unsafe.Add(p, at)).release(h)
			}
			return err
		}
		*s = c
	}
	return nil
}

// release gives back what the value at p owns. The value must not be used
// afterwards.
func (o *ownership) release(h *mm.Heap, p unsafe.Pointer) {
	if o == nil {
		return
	}
	for _, at := range o.strings {
		(*String)(unsafe.Add(p, at)).release(h)
	}
	for _, s := range o.slices {
		(*sliceHead)(unsafe.Add(p, s.offset)).release(h, s.elem)
	}
	for i := range o.maps {
		m := &o.maps[i]
		(*mapHead)(unsafe.Add(p, m.offset)).release(h, m)
	}
}
