package proclet

import (
	"encoding"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// plan is how values of one type are copied between heaps and to and from
// bytes. It is compiled once per type and never changes.
type plan struct {
	kind  planKind
	typ   reflect.Type
	size  uintptr
	elem  *plan  // of an array, slice or pointer; value of a map
	key   *plan  // of a map
	n     int    // elements of an array
	parts []part // fields of a struct

	// inGo: values hold pointers into Go's heap even when they were copied into a
	// proclet's, so whatever holds them must be seen by the garbage collector.
	inGo bool

	// counted: values may hold Refs or other values of planCounted.
	counted bool
}

type part struct {
	offset uintptr
	plan   *plan
}

type planKind uint8

const (
	planBytes  planKind = iota // no pointers, and every bit pattern is a value
	planBool                   // a byte that is 0 or 1
	planString                 // string and String
	planSlice
	planPointer
	planArray
	planStruct
	planMap
	planTime
	planCustom  // brings its own encoding
	planCounted // Ref, RemoteUnique and RemoteShared: bytes that a count is held for
)

var (
	plans sync.Map // *typeHeader -> *plan

	timeType      = reflect.TypeFor[time.Time]()
	stringType    = reflect.TypeFor[String]()
	appenderType  = reflect.TypeFor[encoding.BinaryAppender]()
	unmarshalType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// planFor returns the plan of T. The error is ErrType and names the field that
// cannot be copied.
func planFor[T any]() (*plan, error) { return planOf(reflect.TypeFor[T]()) }

func planOf(t reflect.Type) (*plan, error) {
	if p, ok := plans.Load(headerOf(t)); ok {
		return p.(*plan), nil
	}
	c := compiler{root: t}
	p, err := c.compile(t, t.String())
	if err != nil {
		return nil, err
	}
	plans.Store(headerOf(t), p)
	return p, nil
}

// compiler compiles the plan of root.
type compiler struct {
	root reflect.Type
	open []reflect.Type // types being compiled, outermost first
}

// compile compiles the plan of t, which is found at path in the root type.
func (c *compiler) compile(t reflect.Type, path string) (*plan, error) {
	refuse := func(why string) (*plan, error) {
		return nil, fmt.Errorf("%w as argument or result: %s is %s", ErrType, path, why)
	}
	for _, o := range c.open {
		if o == t {
			return refuse(t.String() + ", which contains itself; pass a slice of its elements")
		}
	}
	c.open = append(c.open, t)
	defer func() { c.open = c.open[:len(c.open)-1] }()

	p := &plan{typ: t, size: t.Size()}
	var err error
	switch {
	case t == timeType:
		p.kind = planTime
		return p, nil
	case t == stringType:
		p.kind = planString
		return p, nil
	case countedKind(t) != notCounted:
		p.kind, p.counted = planCounted, true
		return p, nil
	case isContainer(t):
		return refuse(fmt.Sprintf("a %s, which stays in its proclet; pass a Go slice or map", t.Name()))
	case headerOf(t).ptrBytes != 0 && hasEncoding(t):
		p.kind, p.inGo = planCustom, true
		return p, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		p.kind = planBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		p.kind = planBytes
	case reflect.String:
		p.kind = planString
	case reflect.Slice:
		p.kind = planSlice
		p.elem, err = c.compile(t.Elem(), path+"[]")
	case reflect.Pointer:
		p.kind = planPointer
		p.elem, err = c.compile(t.Elem(), "(*"+path+")")
	case reflect.Map:
		p.kind, p.inGo = planMap, true
		if p.key, err = c.compile(t.Key(), "key of "+path); err == nil {
			p.elem, err = c.compile(t.Elem(), path+"[]")
		}
	case reflect.Array:
		p.kind, p.n = planArray, t.Len()
		p.elem, err = c.compile(t.Elem(), path+"[]")
		if err == nil && (p.elem.kind == planBytes || p.n == 0) {
			p.kind, p.elem = planBytes, nil
		}
	case reflect.Struct:
		p.kind = planStruct
		err = c.fields(p, path)
	case reflect.Interface:
		return refuse("an interface; pass the concrete type")
	case reflect.Chan:
		return refuse("a channel; pass a Ref to a proclet instead")
	case reflect.Func:
		return refuse("a function; pass a Ref to a proclet instead")
	default:
		return refuse("a " + t.Kind().String())
	}
	if err != nil {
		return nil, err
	}
	if p.elem != nil {
		p.inGo = p.inGo || p.elem.inGo
		p.counted = p.counted || p.elem.counted
	}
	if p.key != nil {
		p.counted = p.counted || p.key.counted
	}
	return p, nil
}

// fields compiles the fields of a struct. Bytes that touch become one part.
func (c *compiler) fields(p *plan, path string) error {
	var end uintptr // of the last part, if that is bytes
	bytesOnly, next := true, uintptr(0)
	for i := range p.typ.NumField() {
		f := p.typ.Field(i)
		fp, err := c.compile(f.Type, path+"."+f.Name)
		if err != nil {
			return err
		}
		p.inGo = p.inGo || fp.inGo
		p.counted = p.counted || fp.counted
		bytesOnly = bytesOnly && fp.kind == planBytes && f.Offset == next
		next = f.Offset + f.Type.Size()
		if fp.size == 0 {
			continue
		}
		if last := len(p.parts) - 1; fp.kind == planBytes && last >= 0 && p.parts[last].plan.kind == planBytes && end == f.Offset {
			merged := *p.parts[last].plan
			merged.size += fp.size
			p.parts[last].plan = &merged
		} else {
			p.parts = append(p.parts, part{f.Offset, fp})
		}
		end = f.Offset + fp.size
	}
	if bytesOnly && next == p.size { // no padding either
		p.kind, p.parts = planBytes, nil
	}
	return nil
}

// hasEncoding reports whether t brings its own encoding.
func hasEncoding(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	return p.Implements(appenderType) && p.Implements(unmarshalType)
}
