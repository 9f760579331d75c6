package stackmap

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// What may leave.

//go:noinline
func use[T any](T) {}

//go:noinline
func deadSprintf() {
	s := fmt.Sprintf("%d", n+1000)
	keep(s)
	leave()
}

//go:noinline
func lengthOfSprintf() {
	s := fmt.Sprintf("%d", n+1000)
	l := len(s)
	leave()
	keep(l)
}

//go:noinline
func succeeds() error {
	if n == 0 {
		return errors.New("never")
	}
	return nil
}

//go:noinline
func nilError() {
	err := succeeds()
	leave()
	keep(err)
}

//go:noinline
func setAndLeave(err *error) {
	*err = fails()
	leave()
}

//go:noinline
func deadBehindPointer() {
	var err error
	setAndLeave(&err)
}

//go:noinline
func sortFunc() {
	s := [...]int{3, 1, 2}
	slices.SortFunc(s[:], func(a, b int) int {
		if passed == 0 {
			leave()
		}
		return a - b
	})
	intSink = s[0]
}

//go:noinline
func three(yield func(int) bool) { _ = yield(1) && yield(2) && yield(3) }

//go:noinline
func localIterator() {
	for i := range three {
		if i == 2 {
			leave()
		}
		intSink += i
	}
}

//go:noinline
func numbers() {
	a, b := n*7, float64(n)/3
	leave()
	keep(a)
	keep(b)
}

//go:noinline
func arrays() {
	var a [100]int
	for i := range a {
		a[i] = i * n
	}
	leave()
	intSink = a[n]
}

//go:noinline
func localSlice() {
	s := make([]int, 0, 10)
	for i := range n {
		s = append(s, i)
	}
	leave()
	intSink = s[1]
}

//go:noinline
func call(f func() int) int { leave(); return f() }

//go:noinline
func localClosure() {
	x := n
	intSink = call(func() int { x++; return x })
}

//go:noinline
func constantStrings() {
	s := "abc"
	if n > 2 {
		s = "defg"
	}
	leave()
	keep(s)
}

//go:noinline
func times() {
	t := time.Now()
	leave()
	intSink = int(time.Since(t))
}

//go:noinline
func larger[T interface{ ~int | ~string }](a, b T) T {
	leave()
	if a > b {
		return a
	}
	return b
}

//go:noinline
func generics() {
	intSink = larger(n, 4)
	strSink = larger("a", "b")
}

//go:noinline
func deferPlain() {
	x := n
	defer func() { intSink = x }()
	if n > 2 {
		defer keep("static")
	}
	leave()
}

//go:noinline
func panicStatic() {
	defer func() {
		leave()
		recover()
	}()
	panic("static")
}

var nilPointer *record

//go:noinline
func fault_(p *record) int {
	s := fmt.Sprint(n + 1000)
	x := p.id
	keep(s)
	return x
}

//go:noinline
func panicFault() {
	defer func() {
		leave()
		recover()
	}()
	intSink = fault_(nilPointer)
}

//go:noinline
func panicTwice() {
	defer func() { recover() }()
	defer func() {
		defer leave()
		panic("second")
	}()
	panic("first")
}

//go:noinline
func recoveredLeaving() {
	defer leave()
	defer func() { recover() }()
	panic("static")
}

//go:noinline
func recovers() {
	defer func() { recover() }()
	panic("static")
}

//go:noinline
func recovered() {
	recovers()
	leave()
}

//go:noinline
func deep(depth int) int {
	if depth == 0 {
		leave()
		return 1
	}
	return deep(depth-1) + depth
}

type link struct {
	up *link
	n  int
}

//go:noinline
func pointers(depth int, up *link) int {
	l := link{up, depth}
	if depth == 0 {
		leave()
		for p := &l; p != nil; p = p.up {
			intSink += p.n
		}
		return intSink
	}
	return pointers(depth-1, &l) + l.n
}

type counter struct{ n int }

func (c *counter) add() int { c.n++; return c.n }

//go:noinline
func methodValue() {
	var c counter
	intSink = call(c.add)
}

//go:noinline
func bigFrame() {
	var a [5000]int
	var p [100]*int
	for i := range p {
		p[i] = &a[i*n]
	}
	leave()
	*p[n] = 1
	intSink = a[n]
}

//go:noinline
func sum(xs ...int) (s int) {
	leave()
	for _, x := range xs {
		s += x
	}
	return s
}

//go:noinline
func variadic() { intSink = sum(1, n, 3) }

type adder interface{ add() int }

//go:noinline
func callAdder(a adder) int {
	leave()
	return a.add()
}

var globalCounter counter

//go:noinline
func staticInterface() { intSink = callAdder(&globalCounter) }

//go:noinline
func report(args ...any) { intSink += len(args) }

// neverReported has variables that are not written yet, of which one lies right
// below what the deferred call is found by, and is known by its address.
//
//go:noinline
func neverReported() {
	x := n
	defer func() { intSink = x }()
	leave()
	if n < 0 {
		report(n)
	}
}

//go:noinline
func newStatic() *counter { return &globalCounter }

// spilledLater keeps a pointer below which another is kept later, on a way that
// is not taken. It takes the address of a variable, too.
//
//go:noinline
func spilledLater() {
	p := newStatic()
	leave()
	if n < 0 {
		q := newStatic()
		intSink = newStatic().add() + q.add()
	}
	report(p.add())
}

// jumps has a switch that is a jump table, and needs room for numbers after it.
//
//go:noinline
func jumps() {
	leave()
	x := n
	switch n {
	case 0:
		x = 10 * intSink
	case 1:
		x = 3 + intSink
	case 2:
		x = 4 - intSink
	case 3:
		x = intSink / 3
	case 4:
		x = intSink << 3
	case 5:
		x = intSink ^ 3
	case 6:
		x = intSink % 3
	case 7:
		x = intSink &^ 3
	case 8:
		x = -intSink
	}
	newStatic().add()
	intSink = x
}
