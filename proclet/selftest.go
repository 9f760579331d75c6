package proclet

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// checkRuntime proves what this package assumes about the Go release: the
// layouts of func values, interface values and function tables. It runs once.
var checkRuntime = sync.OnceValue(func() error {
	fail := func(what string) error {
		return fmt.Errorf("proclet: %s is not as expected in %s; this version of nuos supports Go 1.26", what, runtime.Version())
	}
	f := (*probe[int]).method
	plain, err := identify(*(**closure)(unsafe.Pointer(&f)))
	if err != nil || plain.dict != 0 {
		return fail("a method expression")
	}
	g := probeGeneric[int]()
	generic, err := identify(*(**closure)(unsafe.Pointer(&g)))
	if err != nil || generic.dict == 0 {
		return fail("a method expression in generic code")
	}
	for _, id := range []methodID{plain, generic} {
		c, err := id.function()
		if err != nil {
			return fail("a method's code")
		}
		rebuilt := *(*func(*probe[int], *Thread, int) (int, error))(unsafe.Pointer(&c))
		if v, _ := rebuilt(&probe[int]{5}, nil, 7); v != 7+int(unsafe.Sizeof(int(0))) {
			return fail("a closure")
		}
	}
	n := runtime.NumCPU()
	captured := func(*probe[int], *Thread, int) (int, error) { return n, nil }
	if _, err := identify(*(**closure)(unsafe.Pointer(&captured))); err == nil {
		return fail("the kind of a function")
	}
	var sig signature = signatureOf[probe[int], int, int]{}
	back, err := implementation(offsetOf(sig), signature(signatureOf[struct{}, struct{}, struct{}]{}))
	if err != nil || back != sig {
		return fail("an interface table")
	}
	if headerOf(sig.types().arg.typ).size != unsafe.Sizeof(int(0)) {
		return fail("a type")
	}
	return nil
})

// probe is a state type for checkRuntime.
type probe[T any] struct{ v T }

// method needs its dictionary to know the size of T.
//
//go:noinline
func (p *probe[T]) method(_ *Thread, n int) (int, error) { return n + int(unsafe.Sizeof(p.v)), nil }

//go:noinline
func probeGeneric[T any]() func(*probe[T], *Thread, int) (int, error) { return (*probe[T]).method }
