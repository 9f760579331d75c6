package stackmap

import (
	"fmt"
	"iter"
	"reflect"
	"sort"
	"strings"
)

// What must not leave.

//go:noinline
func liveSprintf() {
	s := fmt.Sprintf("%d", n+1000)
	leave()
	keep(s)
}

//go:noinline
func liveSlice() {
	b := make([]byte, n*1000)
	leave()
	keep(b)
}

//go:noinline
func liveMap() {
	m := make(map[int]int, n+100)
	m[1] = 1
	leave()
	keep(m)
}

//go:noinline
func liveChannel() {
	c := make(chan int, n)
	leave()
	keep(c)
}

//go:noinline
func escapingClosure() {
	x := n
	f := func() int { x++; return x }
	funcSink = f
	leave()
	keep(f)
}

//go:noinline
func deferLoop() {
	for i := range n {
		defer keep(i)
	}
	leave()
}

//go:noinline
func builder() {
	var b strings.Builder
	b.WriteString("abc")
	leave()
	b.WriteString("def")
	strSink = b.String()
}

//go:noinline
func fails() error { return fmt.Errorf("%d", n+1000) }

//go:noinline
func liveError() {
	err := fails()
	leave()
	keep(err)
}

//go:noinline
func setError(err *error) {
	*err = fails()
	leave()
	keep(*err)
}

//go:noinline
func errorBehindPointer() {
	var err error
	setError(&err)
}

type record struct {
	id   int
	name string
	tail [3]*int
}

//go:noinline
func fill(r *[4]record) {
	r[2].tail[1] = new(int)
	anySink = r[2].tail[1]
	leave()
	keep(r[2].tail[1])
}

//go:noinline
func arrayBehindPointer() {
	var rs [4]record
	fill(&rs)
}

//go:noinline
func sortSlice() {
	s := []int{3, 1, 2}
	sort.Slice(s, func(i, j int) bool {
		if passed == 0 {
			leave()
		}
		return s[i] < s[j]
	})
}

//go:noinline
func count(to int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range to {
			if !yield(i) {
				return
			}
		}
	}
}

//go:noinline
func escapingIterator() {
	for i := range count(n) {
		if i == 1 {
			leave()
		}
	}
}

//go:noinline
func deferArgument() {
	s := fmt.Sprint(n + 1000)
	defer keep(s)
	leave()
}

//go:noinline
func panicHeap() {
	defer func() {
		leave()
		recover()
	}()
	panic(fmt.Sprint(n + 1000))
}

//go:noinline
func faultDefer() {
	p := newInt()
	defer func() {
		leave()
		recover()
		keep(p)
	}()
	intSink = nilPointer.id
}

//go:noinline
func faultResult() (p *int) {
	defer func() {
		leave()
		recover()
	}()
	p = newInt()
	keep(0)
	intSink = nilPointer.id
	return p
}

//go:noinline
func deferInIterator() {
	for i := range three {
		defer keep(i)
	}
	leave()
}

//go:noinline
func reflectMethod() {
	f := reflect.ValueOf(&globalLeaver).MethodByName("Leave").Interface().(func())
	f()
}

//go:noinline
func reflectFunction() {
	f := reflect.MakeFunc(reflect.TypeFor[func()](), func([]reflect.Value) []reflect.Value {
		leave()
		return nil
	}).Interface().(func())
	f()
}

//go:noinline
func calledByReflect() { reflect.ValueOf(leaves).Call([]reflect.Value{reflect.ValueOf("static")}) }

//go:noinline
func leaves(s string) { leave(); keep(s) }

type leaver struct{}

func (*leaver) Leave() { leave() }

var globalLeaver leaver
