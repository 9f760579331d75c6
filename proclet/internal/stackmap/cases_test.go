package stackmap

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"time"
)

const goHeap = "a pointer into the Go heap"

// cases are functions that call leave, and what is refused, "" if nothing.
var cases = []struct {
	name string
	f    func()
	want string
}{
	{"live Sprintf result", liveSprintf, goHeap},
	{"live slice", liveSlice, goHeap},
	{"live map", liveMap, goHeap},
	{"live channel", liveChannel, goHeap},
	{"escaping closure", escapingClosure, goHeap},
	{"defer in a loop", deferLoop, "recorded in the Go heap"},
	{"strings.Builder", builder, goHeap},
	{"error", liveError, goHeap},
	{"error behind a pointer", errorBehindPointer, goHeap},
	{"sort.Slice", sortSlice, goHeap},
	{"escaping iterator", escapingIterator, goHeap},
	{"pointer in an array behind a pointer", arrayBehindPointer, goHeap},
	{"argument of a deferred call", deferArgument, goHeap},
	{"panic with a heap value", panicHeap, goHeap},

	{"numbers", numbers, ""},
	{"arrays", arrays, ""},
	{"slice that stays", localSlice, ""},
	{"closure that stays", localClosure, ""},
	{"constant strings", constantStrings, ""},
	{"dead Sprintf result", deadSprintf, ""},
	{"length of a Sprintf result", lengthOfSprintf, ""},
	{"time.Time", times, ""},
	{"nil error", nilError, ""},
	{"generics", generics, ""},
	{"defer", deferPlain, ""},
	{"panicking", panicStatic, ""},
	{"panicking at a fault", panicFault, ""},
	{"recovered", recovered, ""},
	{"slices.SortFunc", sortFunc, ""},
	{"107 frames", func() { deep(105) }, ""},
	{"recursion with pointers into callers", func() { pointers(50, nil) }, ""},
	{"method value", methodValue, ""},
	{"big frame", bigFrame, ""},
	{"variadic", variadic, ""},
	{"iterator that stays", localIterator, ""},
	{"interface with a static itab", staticInterface, ""},
	{"dead error behind a pointer", deadBehindPointer, ""},
}

var (
	n        = 3
	intSink  int
	anySink  any
	funcSink func() int
	strSink  string
)

//go:noinline
func use[T any](T) {}

//go:noinline
func liveSprintf() {
	s := fmt.Sprintf("%d", n+1000)
	leave()
	use(s)
}

//go:noinline
func deadSprintf() {
	s := fmt.Sprintf("%d", n+1000)
	use(s)
	leave()
}

//go:noinline
func lengthOfSprintf() {
	s := fmt.Sprintf("%d", n+1000)
	l := len(s)
	leave()
	use(l)
}

//go:noinline
func liveSlice() {
	b := make([]byte, n*1000)
	leave()
	use(b)
}

//go:noinline
func liveMap() {
	m := make(map[int]int, n+100)
	m[1] = 1
	leave()
	use(m)
}

//go:noinline
func liveChannel() {
	c := make(chan int, n)
	leave()
	use(c)
}

//go:noinline
func escapingClosure() {
	x := n
	f := func() int { x++; return x }
	funcSink = f
	leave()
	use(f)
}

//go:noinline
func deferLoop() {
	for i := range n {
		defer use(i)
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
func succeeds() error {
	if n == 0 {
		return errors.New("never")
	}
	return nil
}

//go:noinline
func liveError() {
	err := fails()
	leave()
	use(err)
}

//go:noinline
func nilError() {
	err := succeeds()
	leave()
	use(err)
}

//go:noinline
func setError(err *error) {
	*err = fails()
	leave()
	use(*err)
}

//go:noinline
func errorBehindPointer() {
	var err error
	setError(&err)
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
	use(r[2].tail[1])
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
func deferArgument() {
	s := fmt.Sprint(n + 1000)
	defer use(s)
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
func numbers() {
	a, b := n*7, float64(n)/3
	leave()
	use(a)
	use(b)
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
	use(s)
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
		defer use("static")
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
	use(s)
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
