package proclet

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"unsafe"
)

// methodID names the function behind a method expression.
//
// A func value points to a closure: the address of its code, and behind it
// whatever the function captured. For a method expression outside generic code
// the closure is a constant of the program and captures nothing. Inside generic
// code, (*S[T]).Method with T a type parameter makes a closure afresh each time,
// so its address tells nothing; it is a wrapper written by the compiler, and what it captures is one
// pointer to the dictionary of S[T], again a constant of the program. So
// code and dictionary name the method, and rebuild the func value on any
// machine that runs the same program.
type methodID struct {
	code offset
	dict offset // 0 if the closure captures nothing
}

// closure is what a func value that was rebuilt points to.
type closure struct {
	code uintptr
	dict uintptr
}

// identify names the method that a func value pointing to c holds. The error is
// ErrMethod if it is anything but a method expression or a function that
// captures nothing.
func identify(c *closure) (methodID, error) {
	if c == nil {
		return methodID{}, fmt.Errorf("%w: nil", ErrMethod)
	}
	if image.constant(uintptr(unsafe.Pointer(c)), 8) {
		return methodID{code: image.offset(c.code)}, nil
	}
	return identifyGeneric(c)
}

// identifyGeneric is identify for closures made at run time.
//
// What marks the compiler's wrappers is the kind of function in the function
// table. The other wrappers whose closures are made at run time are those of
// method values, x.Method; they capture x. Outside generic code their names end
// in -fm. Inside, x is told from a dictionary by where it points, because a
// variable is never read-only.
func identifyGeneric(c *closure) (methodID, error) {
	recent := &recentGeneric[(c.code>>4^c.dict>>3)%uintptr(len(recentGeneric))]
	if r := recent.Load(); r != nil && *r == *c {
		return methodID{image.offset(c.code), image.offset(c.dict)}, nil
	}
	if !image.entry(c.code) {
		return methodID{}, fmt.Errorf("%w: no function at %#x", ErrMethod, c.code)
	}
	f := runtime.FuncForPC(c.code)
	name := f.Name()
	if functionKind(f) != kindWrapper || strings.HasSuffix(name, "-fm") || !image.constant(c.dict, 8) {
		return methodID{}, fmt.Errorf("%w: %s captures variables", ErrMethod, name)
	}
	recent.Store(&closure{c.code, c.dict})
	return methodID{image.offset(c.code), image.offset(c.dict)}, nil
}

// recentGeneric holds closures that identifyGeneric has found to be method
// expressions: each place the last one that falls on it.
var recentGeneric [256]atomic.Pointer[closure]

// function checks that id, which another machine has sent, can be a method and
// returns what a func value for it points to.
func (id methodID) function() (*closure, error) {
	c, err := id.closure()
	return &c, err
}

// closure is function for who keeps what it points to.
func (id methodID) closure() (c closure, err error) {
	c.code = image.address(id.code)
	if !image.entry(c.code) {
		return c, fmt.Errorf("%w: no function at offset %#x", ErrMethod, id.code)
	}
	if id.dict != 0 {
		c.dict = image.address(id.dict)
		if !image.constant(c.dict, 8) || functionKind(runtime.FuncForPC(c.code)) != kindWrapper {
			return c, fmt.Errorf("%w: no dictionary at offset %#x", ErrMethod, id.dict)
		}
	}
	return c, nil
}

// kindWrapper is abi.FuncIDWrapper of Go 1.26, functionKindOffset where a
// runtime._func keeps it. checkRuntime proves both.
const (
	kindWrapper        = 23
	functionKindOffset = 40
)

// functionKind reads the kind of a function from the runtime's function table,
// into which a *runtime.Func points unless the function was inlined, which what
// a closure points to never is.
func functionKind(f *runtime.Func) uint8 {
	return *(*uint8)(unsafe.Add(unsafe.Pointer(f), functionKindOffset))
}
