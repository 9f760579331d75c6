package proclet

import "reflect"

// container is what pointers to all types of the package implement whose values
// own memory in the heap.
type container interface {
	container() containerType
}

// containerType describes a container for code that does not know its types.
type containerType struct {
	self reflect.Type
	// The types of what is in it, nil if there is none: values, keys that are
	// hashed, and keys or values that are put in order.
	elem, hashed, ordered reflect.Type
	order                 ordering // of ordered
	owner                 owner
	passes                bool // may be an argument or result of a call
}

var containerInterface = reflect.TypeFor[container]()

// containerOf describes t if it is a container, and is nil otherwise.
func containerOf(t reflect.Type) *containerType {
	if t.Kind() != reflect.Struct || t.PkgPath() != ourPath || !reflect.PointerTo(t).Implements(containerInterface) {
		return nil
	}
	c := reflect.Zero(reflect.PointerTo(t)).Interface().(container).container()
	if c.self != t {
		return nil // a struct that embeds a container
	}
	return &c
}

// isContainer reports whether values of type t own memory in a proclet in a way
// that only that proclet understands.
func isContainer(t reflect.Type) bool {
	c := containerOf(t)
	return c != nil && !c.passes || primitives[t]
}
