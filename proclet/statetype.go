package proclet

import (
	"fmt"
	"reflect"
	"sync"
)

var (
	statesOK sync.Map // *typeHeader of state types that were checked
	ourPath  = reflect.TypeFor[String]().PkgPath()
)

// primitives are the types that threads of a proclet wait with. They lie wholly
// in the heap.
var primitives = map[reflect.Type]bool{
	reflect.TypeFor[Mutex]():     true,
	reflect.TypeFor[RWMutex]():   true,
	reflect.TypeFor[Cond]():      true,
	reflect.TypeFor[WaitGroup](): true,
	reflect.TypeFor[Semaphore](): true,
	reflect.TypeFor[Once]():      true,
	reflect.TypeFor[Timer]():     true,
	reflect.TypeFor[Ticker]():    true,
}

// checkState reports whether t can be a state type. The error is ErrType and
// names the field that cannot be and what to use instead.
func checkState(t reflect.Type) error {
	if _, ok := statesOK.Load(headerOf(t)); ok {
		return nil
	}
	if t.Kind() != reflect.Struct {
		return fmt.Errorf("%w as state: %v is not a struct", ErrType, t)
	}
	c := stateChecker{seen: map[reflect.Type]bool{}}
	if err := c.check(t, t.String()); err != nil {
		return err
	}
	statesOK.Store(headerOf(t), true)
	return nil
}

// stateChecker checks the types that one state type is made of.
type stateChecker struct {
	seen map[reflect.Type]bool // those that were or are being checked
}

// check checks t, which is found at path in the state type.
func (c *stateChecker) check(t reflect.Type, path string) error {
	refuse := func(what, instead string) error {
		return fmt.Errorf("%w as state: %s is %s; use %s", ErrType, path, what, instead)
	}
	if c.seen[t] {
		return nil
	}
	c.seen[t] = true
	if ct := containerOf(t); ct != nil {
		return c.container(ct, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		if primitives[t] {
			return nil
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if err := c.check(f.Type, path+"."+f.Name); err != nil {
				return err
			}
		}
		return nil
	case reflect.Array:
		return c.check(t.Elem(), path+"[]")
	case reflect.Map:
		return refuse("a Go map", fmt.Sprintf("proclet.Map[%s, %s]", replacement(t.Key()), replacement(t.Elem())))
	case reflect.Slice:
		return refuse("a Go slice", fmt.Sprintf("proclet.Slice[%s]", replacement(t.Elem())))
	case reflect.String:
		return refuse("a Go string", "proclet.String")
	case reflect.Pointer, reflect.UnsafePointer:
		return refuse("a pointer", "a value, or a proclet.Ref to a proclet of its own")
	case reflect.Chan:
		return refuse("a channel", "proclet.Slice and calls")
	case reflect.Func:
		return refuse("a function", "a number or a proclet.Ref that says what to do")
	case reflect.Interface:
		return refuse("an interface", "a concrete type")
	}
	return nil
}

// container checks the types of what is in a container.
func (c *stateChecker) container(ct *containerType, path string) error {
	if ct.hashed != nil {
		if err := checkKey(ct.hashed, "key of "+path); err != nil {
			return err
		}
	}
	if ct.ordered != nil {
		if ct.order == unordered {
			return fmt.Errorf("%w: what %s is ordered by has type %v; use a number, proclet.String, or give it a method Compare(%v) int", ErrType, path, ct.ordered, ct.ordered)
		}
		if err := c.check(ct.ordered, "key of "+path); err != nil {
			return err
		}
	}
	if ct.elem != nil {
		return c.check(ct.elem, path+"[]")
	}
	return nil
}

// checkKey reports whether t can be the key type of a Map: a String, or
// something that is equal exactly if its bytes are.
func checkKey(t reflect.Type, path string) error {
	if t == stringType {
		return nil
	}
	refuse := func(why string) error {
		return fmt.Errorf("%w: %s has type %v, %s; use proclet.String or a type made of integers", ErrType, path, t, why)
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return nil
	case reflect.Array:
		return checkKey(t.Elem(), path+"[]")
	case reflect.Struct:
		if isContainer(t) {
			break
		}
		end := uintptr(0)
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Offset != end || f.Name == "_" {
				return refuse("which has padding")
			}
			if err := checkKey(f.Type, path+"."+f.Name); err != nil {
				return err
			}
			if f.Type == stringType {
				return refuse("which contains a String")
			}
			end = f.Offset + f.Type.Size()
		}
		if end != t.Size() {
			return refuse("which has padding")
		}
		return nil
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return refuse("whose values can be equal with different bytes")
	}
	return refuse("which cannot be a key")
}

// replacement is what takes the place of a Go type in a proclet's state.
func replacement(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "proclet.String"
	case reflect.Slice:
		return "proclet.Slice[" + replacement(t.Elem()) + "]"
	case reflect.Map:
		return "proclet.Map[" + replacement(t.Key()) + ", " + replacement(t.Elem()) + "]"
	case reflect.Pointer:
		return replacement(t.Elem())
	}
	return t.String()
}
