//go:build !metal && !race

package sched

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"iter"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// One goroutine at a time runs here, so the race detector has nothing to see; it would take ten
// times as long.

// explorer runs actors, each of which is a processor or whoever else calls the
// scheduler, in every order that their operations on shared memory can have if they are two, and
// otherwise in all in which no more than mostInterruptions come to one that could have gone on. It runs
// the package's own code, one operation at a time (operate), from the beginning for each
// order, and gives an order up when it comes to a state that it has been in. Memory is taken to be
// sequentially consistent, as that of sync/atomic is.
type explorer struct {
	memory []byte // what the actors share; it has no pointers that the collector should know
	actors []*actor
	turns  *actor // whose turn it is

	path   []choice // to the present state, and in run further
	replay bool     // what is done has been done before
	before uint64   // a digest of memory before the present operation
	seen   map[uint64]bool

	record bool // where each operation was made
	trace  []string
}

const mostInterruptions = 2

// choice is which of the actors that could go on did, and what it has found since it began.
type choice struct {
	taken, of int
	found     uint64
}

type actor struct {
	number int
	resume func() (until func() bool, more bool) // makes one operation, and comes to the next
	cancel func()
	yield  func(until func() bool) bool
	until  func() bool // it can go on; nil if it can anyway
	ended  bool

	// found is a digest of all that the actor has found in memory: as its program is
	// fixed, of where it is, and of its variables.
	found   uint64
	relaxed uint64 // a digest of memory when it came to Relax
}

var digestSeed = maphash.MakeSeed()

// cancelled unwinds an actor that is to go no further.
type cancelled struct{}

// explore clears shared, calls begin for the actors, and check when no actor can go on, for
// each order. shared has all that one actor can see of another.
func explore[T any](t *testing.T, shared *T, begin func(x *explorer) []func(), check func() error) {
	t.Helper()
	x := &explorer{memory: unsafe.Slice((*byte)(unsafe.Pointer(shared)), unsafe.Sizeof(*shared)), seen: map[uint64]bool{}}
	oldOperate, oldRelax := operate, Relax
	defer func() { operate, Relax = oldOperate, oldRelax }()
	for orders := 1; ; orders++ {
		if err := x.run(begin, check); err != nil {
			x.record = true
			x.run(begin, check)
			t.Fatalf("%v, in this order:\n%s", err, strings.Join(x.trace, "\n"))
		}
		for len(x.path) > 0 && x.path[len(x.path)-1].taken+1 == x.path[len(x.path)-1].of {
			x.path = x.path[:len(x.path)-1]
		}
		if len(x.path) == 0 {
			t.Logf("%d orders, %d states", orders, len(x.seen))
			return
		}
		x.path[len(x.path)-1].taken++
	}
}

// run follows the path to its end, and goes on from there with who comes first.
func (x *explorer) run(begin func(x *explorer) []func(), check func() error) error {
	clear(x.memory)
	operate = undisturbed
	x.actors = nil
	for i, program := range begin(x) {
		x.actors = append(x.actors, x.start(i, program))
	}
	defer func() {
		for _, a := range x.actors {
			a.cancel()
		}
	}()
	operate, Relax = x.operate, x.relax
	interruptions := 0
	x.turns = nil
	for depth := 0; ; depth++ {
		ready := x.ready(interruptions)
		if x.replay = depth < len(x.path)-1 && !x.record; !x.replay {
			x.before = x.digest()
		}
		if depth == len(x.path) {
			if len(ready) == 0 {
				operate = undisturbed
				return check()
			}
			state := mix(x.state(), uint64(interruptions))
			if x.seen[state] {
				return nil
			}
			x.seen[state] = true
			x.path = append(x.path, choice{of: len(ready)})
		}
		c := &x.path[depth]
		if c.taken > 0 && ready[0] == x.turns && interruptions < mostInterruptions {
			interruptions++
		}
		a := ready[c.taken]
		x.turns = a
		a.found = mix(a.found, 0) // it gets further
		until, more := a.resume()
		a.until, a.ended = until, !more
		if x.replay {
			a.found = c.found
		}
		c.found = a.found
	}
}

// ready are the actors of which one goes on next, first the one that did last.
func (x *explorer) ready(interruptions int) (ready []*actor) {
	can := func(a *actor) bool { return !a.ended && (a.until == nil || a.until()) }
	if x.turns != nil && can(x.turns) {
		ready = append(ready, x.turns)
		if interruptions == mostInterruptions && len(x.actors) > 2 {
			return ready
		}
	}
	for _, a := range x.actors {
		if a != x.turns && can(a) {
			ready = append(ready, a)
		}
	}
	return ready
}

func (x *explorer) start(number int, program func()) *actor {
	a := &actor{number: number}
	a.resume, a.cancel = iter.Pull(func(yield func(func() bool) bool) {
		defer func() {
			if r := recover(); r != nil && r != (cancelled{}) {
				panic(r)
			}
		}()
		a.yield = yield
		program()
	})
	return a
}

// pause lets others go first, at least until something is so.
func (a *actor) pause(until func() bool) {
	if !a.yield(until) {
		panic(cancelled{})
	}
}

func undisturbed(operation func() uint64) uint64 { return operation() }

// operate is the package's operate while it is explored.
func (x *explorer) operate(operation func() uint64) uint64 {
	a := x.turns
	a.pause(nil)
	if x.replay {
		return operation()
	}
	v := operation()
	a.found = mix(a.found, v)
	if v != 0 {
		// It may have become the owner of something, into which it looks without an
		// operation.
		if after := x.digest(); after != x.before {
			a.found = mix(a.found, after)
		}
	}
	if x.record {
		x.trace = append(x.trace, fmt.Sprintf("actor %d: %s = %#x", a.number, caller(), v))
	}
	return v
}

// await has the actor whose turn it is go on when something is so.
func (x *explorer) await(until func() bool) { x.turns.pause(until) }

// relax is Relax: an actor that has come here twice and found the same goes on when
// somebody has changed something.
func (x *explorer) relax() {
	a, before := x.turns, x.digest()
	if a.relaxed == before {
		x.await(func() bool { return x.digest() != before })
	}
	a.relaxed = x.digest()
	a.found = mix(a.found, a.relaxed)
}

func (x *explorer) digest() uint64 { return maphash.Bytes(digestSeed, x.memory) }

// state is a digest of everything that decides what can happen from now on.
func (x *explorer) state() uint64 {
	s := x.before
	for _, a := range x.actors {
		s = mix(s, a.found)
		if a == x.turns {
			s = mix(s, uint64(a.number))
		}
	}
	return s
}

func mix(a, b uint64) uint64 {
	var both [16]byte
	binary.LittleEndian.PutUint64(both[:], a)
	binary.LittleEndian.PutUint64(both[8:], b)
	return maphash.Bytes(digestSeed, both[:])
}

// caller is the line that made the present operation, and who called that.
func caller() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var lines []string
	for f, more := frames.Next(); more && len(lines) < 3; f, more = frames.Next() {
		if name := filepath.Base(f.File); name != "atomic_hosted.go" && !strings.HasSuffix(f.File, "explore_test.go") {
			lines = append(lines, fmt.Sprintf("%s:%d", name, f.Line))
		}
	}
	return strings.Join(lines, " < ")
}
