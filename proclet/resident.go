package proclet

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"nuos/mm"
)

// resident is a proclet that lives on this machine. What must move with it is
// in its heap; this is what belongs to the machine.
type resident struct {
	rt      *Runtime
	id      ID
	heap    *mm.Heap
	head    *head
	kind    stateKind
	typ     *typeHeader    // state type
	state   unsafe.Pointer // the state, in the heap
	moves   uint64         // how often it has moved
	earlier uint64         // calls it had before it lived here
	pinned  bool
	gate    gate
	once    once
	objects sync.Mutex // guards head.objects and head.holdings
	load    load
	since   clock // when it was made here, or came

	mu        sync.Mutex              // guards head.frozen, head.expectations, the frozen of waiters, asleep, and deadlines
	leaving   atomic.Pointer[leaving] // changes with mu held
	asleep    []*Thread               // frozen in their sleep, while it leaves; see freezeInside
	deadlines deadlines               // of frozen threads, unless it leaves

	copying  *copying    // while it is copied and runs; changes with mu held
	uncopied bool        // nobody may begin to, under mu
	stuck    atomic.Bool // it could not leave when it was asked last

	destroying atomic.Bool
	sealed     atomic.Bool // and no call is inside any more: none comes back either, until Close
	ending     atomic.Bool // and its threads end

	// alive is held for reading to look into the heap without a call, for writing
	// to change whether that may be done.
	alive  sync.RWMutex
	frozen *mm.HeapStats // while the bytes are being moved, and must not change: what they were
}

// head is the root object of a proclet's heap: what the runtime knows about the
// proclet and must move with it.
type head struct {
	state    unsafe.Pointer
	kind     offset // of the state type
	moves    uint64
	calls    uint64 // on the machines where it lived before
	pinned   bool
	once     onceTable
	refs     refcount // those who hold the proclet
	objects  objectTable
	holdings holdings // what the state holds of others

	frozen       frozenThreads
	expectations expectations
	started      startedThreads
	left         clock // when it left its last machine
	ahead        clock // how far its clock is ahead of this machine's
}

// residents finds a proclet by the address of its heap: one table for all of
// the process, because addresses are unique in the rack. Two levels, one entry
// for every MinHeap bytes.
var residents [1 << 14]atomic.Pointer[[leafSize]atomic.Pointer[resident]]

const leafSize = 1 << 14

// residentsMu is held to add a leaf.
var residentsMu sync.Mutex

// slot returns the place in residents of a heap at addr, or nil if there is
// none.
func residentSlot(addr uint64, add bool) *atomic.Pointer[resident] {
	i := (addr - uint64(mm.HeapArea.Base)) / mm.MinHeap
	if addr%mm.MinHeap != 0 || i/leafSize >= uint64(len(residents)) {
		return nil
	}
	leaf := residents[i/leafSize].Load()
	if leaf == nil {
		if !add {
			return nil
		}
		residentsMu.Lock()
		if leaf = residents[i/leafSize].Load(); leaf == nil {
			leaf = new([leafSize]atomic.Pointer[resident])
			residents[i/leafSize].Store(leaf)
		}
		residentsMu.Unlock()
	}
	return &leaf[i%leafSize]
}

// residentAt returns the proclet whose heap is at addr.
func residentAt(addr uint64) *resident {
	i := (addr - uint64(mm.HeapArea.Base)) / mm.MinHeap
	if i/leafSize >= uint64(len(residents)) {
		return nil
	}
	if leaf := residents[i/leafSize].Load(); leaf != nil {
		return leaf[i%leafSize].Load()
	}
	return nil
}

// find returns the proclet if it lives on this machine.
func (rt *Runtime) find(id ID) *resident {
	s := residentSlot(id.Addr, false)
	if s == nil {
		return nil
	}
	if r := s.Load(); r != nil && r.id.Gen == id.Gen && r.rt == rt {
		return r
	}
	return nil
}

// all returns the proclets that live on this machine in the order of their
// addresses.
func (rt *Runtime) all() (rs []*resident) {
	for i := range residents {
		leaf := residents[i].Load()
		if leaf == nil {
			continue
		}
		for j := range leaf {
			if r := leaf[j].Load(); r != nil && r.rt == rt {
				rs = append(rs, r)
			}
		}
	}
	return rs
}

// newResident makes the machine's record of the proclet in heap h.
func (rt *Runtime) newResident(id ID, h *mm.Heap, kind stateKind) *resident {
	hd := (*head)(h.Root())
	r := &resident{
		rt: rt, id: id, heap: h, head: hd, kind: kind, moves: hd.moves, earlier: hd.calls, pinned: hd.pinned,
		typ: headerOf(kind.reflectType()), state: hd.state, since: machineClock(),
	}
	r.once.init(h, &hd.once)
	return r
}

// clock reads the proclet's clock.
func (r *resident) clock() clock { return machineClock() + r.head.ahead }

// settle makes r findable.
func (r *resident) settle() { residentSlot(r.id.Addr, true).Store(r) }

// unsettle is the inverse of settle. Nobody enters r any more.
func (r *resident) unsettle() {
	residentSlot(r.id.Addr, true).Store(nil)
	r.rt.past.Add(r.gate.entered())
}

// is reports whether S is the state type of r.
func is[S any](r *resident) bool { return r.typ == headerOf(reflect.TypeFor[S]()) }

// wrongState is the error of a call with a Ref of another state type.
func (r *resident) wrongState(ct *callTypes) error {
	return fmt.Errorf("%w: %v has state %v", ErrType, r.id, r.kind.reflectType())
}

// destroyHeap gives the heap back. Nobody is inside and nobody will be.
func (r *resident) destroyHeap() {
	r.alive.Lock()
	defer r.alive.Unlock()
	r.heap.Destroy()
	r.heap = nil
}

// freeze keeps those out of the heap who look into it without a call, while its
// bytes are being copied; thaw lets them in again.
func (r *resident) freeze() {
	r.alive.Lock()
	defer r.alive.Unlock()
	s := r.heap.Stats()
	r.frozen = &s
}

func (r *resident) thaw() {
	r.alive.Lock()
	defer r.alive.Unlock()
	r.frozen = nil
}
