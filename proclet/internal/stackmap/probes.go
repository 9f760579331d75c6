package stackmap

import (
	"reflect"
)

// probes are functions that call leaveProbe with something in their frames,
// each for one of the layouts that the check relies on, and a part of what
// the check has to say, "" for nothing.
var probes = []struct {
	name    string
	f       func()
	refused string
}{
	{"a frame without pointers", probeNothing, ""},
	{"a live pointer", probeLive, "probeLive"},
	{"a dead pointer", probeDead, ""},
	{"a pointer in a variable behind a pointer", probeObject, "probeObject"},
	{"an argument on the stack", probeArgument, "probeArguments"},
	{"a deferred call in the frame", probeDefer, ""},
	{"a deferred call with a pointer", probeDeferPointer, "probeDeferPointer"},
	{"a deferred call on the stack", probeDeferRecord, "probeDeferRecord"},
	{"a deferred call in the heap", probeDeferLoop, "recorded in the Go heap"},
	{"a panic", probePanic, ""},
	{"a panic with a pointer", probePanicPointer, "runtime.gopanic"},
	{"a panic at a fault", probeFault, ""},
	{"an itab made at run time", probeItab, "an interface value of type stackmap.probeInterface"},
	{"a type made at run time", probeType, "made by package reflect"},
}

// A small program's heap: pointers to these are what must be refused.
var (
	probeSink  *int
	probeNil   *[4]int
	probeCount int
)

// newInt returns a pointer into the Go heap.
//
//go:noinline
func newInt() *int {
	probeSink = new(int)
	return probeSink
}

func probeNothing() {
	n := probeCount
	leaveProbe()
	probeCount = n
}

func probeLive() {
	p := newInt()
	leaveProbe()
	keep(p)
}

func probeDead() {
	p := newInt()
	keep(p)
	leaveProbe()
}

// probeObject has a variable that is live because of a pointer to its end,
// which itself holds no pointer.
func probeObject() {
	var v struct {
		n, m int
		p    *int
		tail [4]int
	}
	v.p = newInt()
	keepAcross(&v.tail)
}

//go:noinline
func keepAcross(a *[4]int) {
	leaveProbe()
	keep(a)
}

func probeArgument() { probeArguments(1, 2, 3, 4, 5, 6, 7, 8, 9, newInt()) }

//go:noinline
func probeArguments(a, b, c, d, e, f, g, h, i int, p *int) {
	leaveProbe()
	keep(p)
}

func probeDefer() {
	n := probeCount
	defer func() { probeCount = n }()
	leaveProbe()
}

func probeDeferPointer() {
	p := newInt()
	defer func() { keep(p) }()
	leaveProbe()
}

// probeDeferRecord has more deferred calls than the compiler keeps in a
// frame's own variables.
func probeDeferRecord() {
	p := newInt()
	f := func() { keep(p) }
	defer f()
	defer f()
	defer f()
	defer f()
	defer f()
	defer f()
	defer f()
	defer f()
	defer f()
	leaveProbe()
}

func probeDeferLoop() {
	for range 2 {
		defer keep(1)
	}
	leaveProbe()
}

func probePanic() {
	defer leaveProbe()
	panic("static")
}

func probePanicPointer() {
	defer leaveProbe()
	panic(newInt())
}

// probeFault has a pointer that is live at the fault, but will not be used
// any more.
func probeFault() {
	defer leaveProbe()
	probeCount = faults(probeNil)
}

//go:noinline
func faults(a *[4]int) int {
	p := newInt()
	keep(0)
	n := a[2]
	keep(p)
	return n
}

// No conversion tells the compiler that one implements the other.
type (
	probeInterface interface{ probeMethod() int }
	probeValue     struct{ n int }
)

func (v *probeValue) probeMethod() int { return v.n }

var (
	theProbeValue probeValue
	anyProbeValue any = &theProbeValue
)

func probeItab() {
	v := anyProbeValue.(probeInterface)
	leaveProbe()
	probeCount = v.probeMethod()
}

func probeType() {
	v := madeValue
	leaveProbe()
	keep(v)
}

// madeValue is an interface value without size, of a type of which the
// compiler does not know.
var madeValue = reflect.Zero(reflect.ArrayOf(0, reflect.TypeFor[probeValue]())).Interface()
