package proclet

import (
	"reflect"
	"strings"
	"unsafe"
)

// handle says what counts are held of: a proclet, or an object inside it.
type handle struct {
	id     ID
	object objectID // zero: the proclet itself
}

// objectID names an object of a proclet to which remote pointers may point; see
// object.go.
type objectID struct {
	place  uint64 // in the table of objects, from 1
	serial uint64 // never used twice in one proclet; 0: a part of the state
}

// Counted is what a count is held for: [Ref], [RemoteUnique] and [RemoteShared].
type Counted interface{ counted() handle }

// countedType is how values of a type hold counts.
type countedType uint8

const (
	notCounted    countedType = iota
	countedRef                // an ID
	countedShared             // a handle
	countedUnique             // a handle, of which there is one
)

// countedKind says how values of type t hold counts, those of its fields not
// regarded.
func countedKind(t reflect.Type) countedType {
	if t.Kind() != reflect.Struct || t.PkgPath() != ourPath {
		return notCounted
	}
	switch name := t.Name(); {
	case strings.HasPrefix(name, "Ref["):
		return countedRef
	case strings.HasPrefix(name, "RemoteShared["):
		return countedShared
	case strings.HasPrefix(name, "RemoteUnique["):
		return countedUnique
	}
	return notCounted
}

// at returns the handle in the value of such a type at p.
func (c countedType) at(p unsafe.Pointer) handle {
	if c == countedRef {
		return handle{id: *(*ID)(p)}
	}
	return *(*handle)(p)
}
