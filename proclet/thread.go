package proclet

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"nuos/mm"
)

// Thread is the context of a call: which proclet runs, and in which chain of
// calls. A method gets its Thread from the call and hands it to everything it
// calls; it must not be kept beyond the call, nor used by two goroutines at
// once. Other goroutines (main, handlers of a server) get one from [Current].
//
// The Thread of a method lies in the proclet's heap, together with the
// argument, so that it can move with the call.
type Thread struct {
	heap   *mm.Heap // of the proclet that runs; nil for ordinary goroutines
	id     ID       // of the proclet that runs; zero for ordinary goroutines
	inside []ID     // the other proclets that the chain of calls is inside of
	rt     uint32   // index in runtimes
	nheld  uint32
	held   [maxHeld]*Mutex
	chunks *chunk
	holds  *hold  // what the method that runs owns
	wanted uint32 // those of holds that are still to be acquired
	loose  bool   // whoever has made t looks after what its calls return
}

// chunk is the start of memory that lives as long as the method whose Thread
// holds it.
type chunk struct{ next *chunk }

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

// isInside reports whether t's chain of calls is inside the proclet.
func (t *Thread) isInside(id ID) bool {
	return t.id == id || slices.Contains(t.inside, id)
}

// path returns all proclets that t's chain of calls is inside of.
func (t *Thread) path() []ID {
	if t.heap == nil {
		return t.inside
	}
	return append(slices.Clip(t.inside), t.id)
}

// begin makes the Thread of a call into r, and an arena of n bytes, in r's heap.
// The chain of calls is inside the proclets inside, and in caller unless that is
// zero.
func (r *resident) begin(inside []ID, caller ID, n uintptr) (*Thread, arena, error) {
	depth := uintptr(len(inside) + 1)
	first := unsafe.Sizeof(Thread{}) + depth*unsafe.Sizeof(ID{})
	p, err := r.heap.AllocReserved(uint64(first + n))
	if err != nil {
		return nil, arena{}, err
	}
	t := (*Thread)(p)
	*t = Thread{heap: r.heap, id: r.id, rt: r.rt.index}
	ids := unsafe.Slice((*ID)(unsafe.Add(p, unsafe.Sizeof(Thread{}))), depth)
	t.inside = ids[:copy(ids, inside)]
	if !caller.IsZero() {
		t.inside = append(t.inside, caller)
	}
	return t, arena{next: unsafe.Add(p, first), end: unsafe.Add(p, first+n), heap: true}, nil
}

// end ends the call that begin began, after its result has been copied.
func (t *Thread) end() {
	t.releaseOwned(nil)
	for t.nheld > 0 {
		t.nheld--
		t.held[t.nheld].unlock()
	}
	h := t.heap
	for c := t.chunks; c != nil; {
		next := c.next
		h.Free(unsafe.Pointer(c))
		c = next
	}
	h.Free(unsafe.Pointer(t))
}

// results returns an arena of n bytes for what a call that t makes returns: in
// the proclet's heap until t's method ends, or in Go's heap for an ordinary
// goroutine.
func (t *Thread) results(n uintptr) (arena, error) {
	if t.heap == nil {
		return arena{}, nil
	}
	if n == 0 {
		return arena{next: unsafe.Pointer(t), end: unsafe.Pointer(t), heap: true}, nil
	}
	p, err := t.heap.AllocReserved(uint64(unsafe.Sizeof(chunk{}) + n))
	if err != nil {
		return arena{}, err
	}
	c := (*chunk)(p)
	c.next, t.chunks = t.chunks, c
	first := unsafe.Add(p, unsafe.Sizeof(chunk{}))
	return arena{next: first, end: unsafe.Add(first, n), heap: true}, nil
}

// heapOf returns the heap for what a container needs. Containers live in
// proclets.
func (t *Thread) heapOf() *mm.Heap {
	if t.heap == nil {
		panic("proclet: a container was changed outside a method of its proclet")
	}
	return t.heap
}
