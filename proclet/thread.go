package proclet

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
)

// Thread is a thread of execution inside proclets: which one runs, and in which
// chain of calls. A method gets its Thread from the call and hands it to
// everything it calls; it must not be kept beyond the call, nor used by two
// goroutines at once. Other goroutines (main, handlers of a server) get one from
// [Current].
//
// The Thread of a method lies at the top of the region of addresses that has the
// thread's stack and arena, and moves with them. So it holds no pointers into
// Go's heap.
type Thread struct {
	fiber fiber.Fiber // first: the header of the region

	// What runs: the innermost method.
	heap   *mm.Heap // of its proclet; nil for ordinary goroutines
	id     ID       // of its proclet; zero for ordinary goroutines
	nheld  uint32
	held   [maxHeld]*Mutex
	holds  *hold  // what it owns
	wanted uint32 // those of holds that are still to be acquired
	loose  bool   // whoever has made t looks after what its calls return
	ending bool   // by Goexit, because its proclet ends
	failed bool   // the method that has ended last has left an error, see takeError

	next    beginning   // of the innermost method
	below   *activation // the method that called it, in this part of the thread; nil if that is not here
	order   order       // how it began
	root    purpose     // what the outermost method of this part is there for
	inside  []ID        // the proclets that the chain of calls was inside of before it came here
	kept    bool        // inside lies in the heap of the outermost method, to be freed when that ends
	answer  []byte      // encoded, of the outermost method, in the arena
	guards  int32       // how often Guard was called
	until   clock       // the deadline of the innermost method, by its proclet's clock; 0: none
	place   int         // in attached, from 1; 0 if it is detached
	waiting *waiter     // while it sleeps or leaves: what it waits for
	rt      uint32      // index in runtimes

	// Samples of what it uses; see load.go.
	slices   atomic.Uint32 // that it has begun
	span     uint32        // nanoseconds of this slice that were measured
	measured clock         // until when; 0: this slice is not measured

	// entered are the addresses of the proclets that this part of the thread is
	// inside of, outermost first. Whoever wants it to leave one of them reads it
	// while the thread runs; see leave.
	entered [maxDepth]uint64
	depth   int
}

// maxDepth is how many calls of local proclets may be made on one stack. More
// go on on another one, as calls from another machine do.
const maxDepth = 16

// activation is a method that has called one of another local proclet, and the
// call. It lies in the thread's arena. Nothing clears it, so a field is what it was set
// to, or not to be read.
type activation struct {
	// The method: what t goes on with when the call has returned.
	id    ID
	heap  uncollected[mm.Heap]
	below uncollected[activation]

	// What it has called. While the thread is not split, and so cannot leave, others
	// keep both: the table of residents those that t is inside of, and signatures all.
	callee uncollected[resident]
	types  uncollected[callTypes]
	res    uintptr // where the result goes
	top    uintptr // mark of the arena above the argument; in the end, above all that the called method had

	expected uncollected[expected] // what it expects, if the thread was split here

	more  bool // the rest of what it goes on with is not zero
	nheld uint32
	held  [maxHeld]uncollected[Mutex]
	holds uncollected[hold]
	until clock

	// Set when the thread is split here: the identity of the call, its signature,
	// what the lower part is there for from now on, and where it is inside of.
	call    callID
	sig     signatureTable
	root    purpose
	inside  uncollected[ID]
	ninside int
}

// beginning is what a method begins with, and of no use afterwards.
type beginning struct {
	fn    uncollected[closure]
	state uintptr
	in    uintptr // the argument: its own, or to be read at once
	top   uintptr // mark of the arena above the argument
}

// uncollected points to a T that others keep, from memory that may hold anything. It
// is a number to the collector: a pointer's write barrier looks at what was
// there before.
type uncollected[T any] uintptr

func toUncollected[T any](p *T) uncollected[T] { return uncollected[T](unsafe.Pointer(p)) }

func (u uncollected[T]) pointer() *T { return (*T)(constantAt(uintptr(u))) }

// runtimes are the runtimes of this process, in the order of their making:
// one, except in tests that run several machines in a process.
var runtimes atomic.Pointer[[]*Runtime]

// Current returns a Thread for the calling goroutine, which is not part of any
// proclet. It costs nothing; what is called through it takes and returns
// ordinary Go values. Before [Serve] was called it panics.
func Current() *Thread {
	rs := runtimes.Load()
	if rs == nil {
		panic("proclet: Current before Serve")
	}
	return &(*rs)[0].outside
}

func (t *Thread) runtime() *Runtime { return (*runtimes.Load())[t.rt] }

// threadOf returns the Thread whose header f is.
func threadOf(f *fiber.Fiber) *Thread { return (*Thread)(unsafe.Pointer(f)) }

// isInside reports whether t's chain of calls is inside the proclet.
func (t *Thread) isInside(id ID) bool {
	if t.id == id || slices.Contains(t.inside, id) {
		return true
	}
	for a := t.below; a != nil; a = a.below.pointer() {
		if a.id == id {
			return true
		}
	}
	return false
}

// path returns all proclets that t's chain of calls is inside of, in the memory of
// p if they fit.
func (t *Thread) path(p []ID) []ID {
	p = append(p[:0], t.inside...)
	if t.heap == nil {
		return p
	}
	for a := t.below; a != nil; a = a.below.pointer() {
		p = append(p, a.id)
	}
	slices.Reverse(p[len(t.inside):])
	return append(p, t.id)
}

// unlockHeld unlocks what the innermost method holds, after its result has been
// copied.
func (t *Thread) unlockHeld() {
	for t.nheld > 0 {
		t.nheld--
		t.held[t.nheld].unlock()
	}
}

// results returns an arena of n bytes for what a call that t makes returns: in
// the thread's arena, until t's method ends, or in Go's heap for an ordinary
// goroutine.
func (t *Thread) results(n uintptr) (arena, error) {
	if t.depth == 0 { // no thread
		return arena{}, nil
	}
	// The arena is longer than what is asked for, so that the address of something
	// without a size at its end is still an address in it.
	p := t.fiber.Alloc(n + 8)
	if p == nil {
		return arena{}, ErrStackFull
	}
	return arena{next: p, end: unsafe.Add(p, n), heap: true}, nil
}

// Scope calls f and then frees what the calls that f made through t have
// returned, and their arguments. Otherwise that is there until the method
// returns. What the method came to own in f is given back. So a method that calls in an endless loop does it in a Scope.
func (t *Thread) Scope(f func()) {
	if t.heap == nil {
		f()
		return
	}
	mark, holds := t.fiber.Mark(), t.holds
	f()
	t.releaseOwned(holds)
	t.fiber.Release(mark)
}

// heapOf returns the heap for what a container needs. Containers live in
// proclets.
func (t *Thread) heapOf() *mm.Heap {
	if t.heap == nil {
		panic("proclet: a container was changed outside a method of its proclet")
	}
	return t.heap
}
