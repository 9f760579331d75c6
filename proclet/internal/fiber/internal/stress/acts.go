package stress

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"nuos/proclet/internal/fiber"
)

// acts are what a thread does, one in each round, at random.
var acts = [...]func(*Thread){
	recursion, recursion, panics, nested, nilPointer, records, spin, list, garbage,
	channels, iterator, goexit, traceback, sleeper, arena, calls, calls, crossing, tower, tower, tower,
}

func act(f *fiber.Fiber) {
	t := threadOf(f)
	for t.rounds > 0 && !t.failed {
		t.rounds--
		acts[t.roll(len(acts))](t)
		if t.roll(3) == 0 {
			t.hop()
		}
	}
}

func recursion(t *Thread) {
	depth := t.roll(60)
	if t.roll(20) == 0 {
		depth = 2000
	}
	if got, want := t.recurse(depth, 1), sum(depth, 1); got != want {
		t.fail("recursion returns %d; want %d", got, want)
	}
}

// recurse computes sum, with values in every frame that have to survive.
//
//go:noinline
func (t *Thread) recurse(depth int, x uint64) uint64 {
	local := [4]uint64{x, x * 3, x * 5, x * 7}
	p := &local[depth%4] // a pointer into the stack
	want := *p
	var r uint64
	if depth > 0 {
		r = t.recurse(depth-1, x*6364136223846793005+1)
	}
	if t.roll(40) == 0 {
		t.hop()
	}
	if *p != want || local[0] != x || local[3] != x*7 {
		t.fail("a local variable has changed at depth %d", depth)
	}
	return r + x
}

func sum(depth int, x uint64) (r uint64) {
	for ; depth >= 0; depth-- {
		r += x
		x = x*6364136223846793005 + 1
	}
	return r
}

// panics leaves while a panic is in flight.
func panics(t *Thread) {
	stage := 0
	func() {
		defer func() {
			t.hop()
			if r := recover(); r != "first" {
				t.fail("recovered %v; want first", r)
			}
			t.hop()
			stage++
		}()
		defer func() {
			t.hop()
			stage++
		}()
		t.recurse(5, 3)
		panic("first")
	}()
	if stage != 2 {
		t.fail("%d deferred calls; want 2", stage)
	}
}

// nested has a panic in a deferred call of a panic.
func nested(t *Thread) {
	defer func() {
		if r := recover(); r != "outer" {
			t.fail("recovered %v; want outer", r)
		}
	}()
	defer func() {
		defer func() {
			if r := recover(); r != "inner" {
				t.fail("recovered %v; want inner", r)
			}
			t.hop()
		}()
		t.hop()
		panic("inner")
	}()
	panic("outer")
}

func nilPointer(t *Thread) {
	defer func() {
		t.hop()
		if err, ok := recover().(runtime.Error); !ok || !strings.Contains(err.Error(), "nil pointer") {
			t.fail("recovered %v; want a nil dereference", err)
		}
	}()
	var p *[4]int
	if t.roll(2) == 0 {
		p[t.roll(4)] = 1
	} else {
		t.id = p[1]
	}
	t.fail("a nil pointer was followed")
}

// records has more deferred calls than the compiler lays out in the frame: they get
// records on the stack.
func records(t *Thread) {
	n := 0
	func() {
		defer func() { n++; t.hop() }()
		defer func() { n++ }()
		defer func() { n++ }()
		defer func() { n++ }()
		defer func() { n++; t.hop() }()
		defer func() { n++ }()
		defer func() { n++ }()
		defer func() { n++ }()
		defer func() { n++; t.hop() }()
		t.hop()
		if t.roll(2) == 0 {
			defer func() { recover() }()
			panic("records")
		}
	}()
	if n != 9 {
		t.fail("%d deferred calls; want 9", n)
	}
}

// spin does not call anything: only a signal can preempt it.
func spin(t *Thread) {
	x, y := uint64(1), 1.0
	for range 300_000 {
		x = x*6364136223846793005 + 1442695040888963407
		y = y*0.999 + 0.5
	}
	if x == 0 || y < 1 {
		t.fail("a loop computed %d and %f", x, y)
	}
}

type node struct {
	next *node
	v    int
	pad  [40]byte
}

// list has its only root on the stack while the collector runs.
func list(t *Thread) {
	var head *node
	for i := range 200 {
		head = &node{next: head, v: i}
	}
	if t.roll(10) == 0 {
		runtime.GC()
	} else {
		garbage(t)
	}
	for n, i := head, 199; n != nil; n, i = n.next, i-1 {
		if n.v != i {
			t.fail("node %d holds %d", i, n.v)
			return
		}
	}
	t.hop()
}

func garbage(t *Thread) {
	m := map[int]string{}
	for i := range 50 {
		m[i] = fmt.Sprintf("%d:%s", i, strings.Repeat("x", i))
	}
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if len(keys) != 50 || m[keys[7]] != "7:xxxxxxx" {
		t.fail("a map holds %d keys, %q", len(keys), m[7])
	}
}

func channels(t *Thread) {
	c, done := make(chan int), make(chan struct{})
	go func() {
		for i := range 3 {
			c <- i
		}
		close(done)
	}()
	total := 0
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for running := true; running; {
		select {
		case i := <-c:
			total += i
		case <-done:
			running = false
		case <-timer.C:
			t.fail("an hour has passed")
		}
	}
	if total != 3 {
		t.fail("received %d; want 3", total)
	}
}

func iterator(t *Thread) {
	total := 0
	for i := range func(yield func(int) bool) {
		for i := range 10 {
			t.hop()
			if !yield(i) {
				return
			}
		}
	} {
		if i == 7 {
			break
		}
		total += i
	}
	if total != 21 {
		t.fail("an iterator added up to %d; want 21", total)
	}
}

func traceback(t *Thread) {
	if t.roll(10) != 0 {
		return
	}
	buf := make([]byte, 1<<16)
	buf = buf[:runtime.Stack(buf, t.roll(2) == 0)]
	if !bytes.Contains(buf, []byte("stress.traceback")) || !bytes.Contains(buf, []byte("stress.act")) {
		t.fail("runtime.Stack says %s", buf)
	}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "stress.act") {
			break
		}
		if !more {
			t.fail("runtime.Callers does not end at the entry function")
			break
		}
	}
}

// sleeper parks until another goroutine wakes it, both in any order.
func sleeper(t *Thread) {
	switch t.roll(3) {
	case 0:
		go t.Unpark()
	case 1:
		t.Unpark()
	case 2:
		go t.Kick()
	}
	t.Park()
	t.ClearKick()
	t.hop()
}

func arena(t *Thread) {
	mark := t.Mark()
	p := (*[100]int)(t.Alloc(800))
	for i := range p {
		p[i] = i * t.id
	}
	t.hop()
	for i := range p {
		if p[i] != i*t.id {
			t.fail("the arena holds %d at %d", p[i], i)
			break
		}
	}
	t.Release(mark)
}
