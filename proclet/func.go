package proclet

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Func is a function that can be passed to a call and kept in state: a method
// expression or a function that captures nothing. F is its type, a func type.
// It names a place in the program, which is the same on all machines.
type Func[F any] struct {
	// Where the closure is, if that is a constant of the program; otherwise what it
	// consists of, see methodID.
	closure offset
	method  methodID
}

// FuncOf names fn. The error is ErrMethod if fn is nil or captures variables, and
// ErrType if F is no func type.
func FuncOf[F any](fn F) (Func[F], error) {
	if reflect.TypeFor[F]().Kind() != reflect.Func {
		return Func[F]{}, fmt.Errorf("%w: %v is not a func type", ErrType, reflect.TypeFor[F]())
	}
	c := closureOf(unsafe.Pointer(&fn))
	id, err := identify(c)
	if err != nil {
		return Func[F]{}, err
	}
	if image.constant(uintptr(unsafe.Pointer(c)), 8) {
		return Func[F]{closure: image.offset(uintptr(unsafe.Pointer(c)))}, nil
	}
	return Func[F]{method: id}, nil
}

// IsZero reports whether f names nothing.
func (f Func[F]) IsZero() bool { return f == Func[F]{} }

// Get returns the function. What it returns must not be kept in state; from a
// method expression made in generic code it is a pointer into Go's heap, so that
// a thread cannot move while it runs that. The error is ErrMethod if f names no
// function.
func (f Func[F]) Get() (fn F, err error) {
	var c *closure
	switch {
	case f.closure != 0:
		p := image.address(f.closure)
		if !image.constant(p, 8) || !image.entry(image.word(p)) {
			return fn, fmt.Errorf("%w: no function at offset %#x", ErrMethod, f.closure)
		}
		c = (*closure)(constantAt(p))
	default:
		if c, err = f.method.shared(); err != nil {
			return fn, err
		}
	}
	if reflect.TypeFor[F]().Kind() != reflect.Func {
		return fn, fmt.Errorf("%w: %v is not a func type", ErrType, reflect.TypeFor[F]())
	}
	*(**closure)(unsafe.Pointer(&fn)) = c
	return fn, nil
}

// closures are those that Get has rebuilt. There are no more than the program has
// functions.
var closures sync.Map // methodID -> *closure

// shared is like function, but makes a closure once only.
func (id methodID) shared() (*closure, error) {
	if c, ok := closures.Load(id); ok {
		return c.(*closure), nil
	}
	c, err := id.function()
	if err != nil {
		return nil, err
	}
	kept, _ := closures.LoadOrStore(id, c)
	return kept.(*closure), nil
}
