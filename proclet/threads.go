package proclet

import (
	"errors"
	"fmt"
	"log"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
)

// MaxThreads is how many threads a proclet may have at once, calls inside it
// included.
const MaxThreads = 1 << 14

// attached are the threads of this process that run or sleep on carriers. One
// list for all runtimes: the addresses of threads are unique in the rack.
var attached struct {
	mu     sync.Mutex
	all    []*Thread
	looks  []look // at each of all
	looked int    // index of the last one that was looked at
	// resume are the images whose region is occupied by another part of the same thread:
	// what to do when that is over.
	resume    map[*Thread][]func()
	contended atomic.Int64 // how many regions those are; changes with mu held
}

// regions are the regions of addresses that a machine has for new threads. They
// are the machine's where the lowest part of the last thread there has ended. An
// upper part, for whose answer nobody waits any more, may still be on its way, and
// occupy the region here or on another machine.
type regions struct {
	mu   sync.Mutex
	free []mm.Range // that which was given back last, and is in the cache, is the last
}

// take returns a region, if there is one.
func (s *regions) take() (r mm.Range, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return r, false
	}
	r = s.free[n-1]
	s.free = s.free[:n-1]
	return r, true
}

// put takes a region back.
func (s *regions) put(r mm.Range) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, r)
}

// putLast takes regions back that were occupied: they are tried again when there are
// no others.
func (s *regions) putLast(rs []mm.Range) {
	if len(rs) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = slices.Insert(s.free, 0, rs...)
}

func init() {
	fiber.Hooks.Detached = detached
	fiber.Hooks.Abandoned = abandoned
	fiber.Hooks.Ended = ended
	var t Thread
	if unsafe.Sizeof(t) > fiber.HeaderSize {
		panic(fmt.Sprintf("proclet: a Thread of %d bytes", unsafe.Sizeof(t)))
	}
}

// newThread makes a thread that is to run in r, by whose gate it is counted. It
// takes f over, or if that is nil makes a fiber, for which it may have to wait.
func (r *resident) newThread(what purpose, inside []ID, f *fiber.Fiber) (*Thread, error) {
	if r.gate.inside() > MaxThreads {
		if f != nil {
			threadOf(f).drop()
		}
		return nil, ErrTooManyThreads
	}
	if f == nil {
		var err error
		if f, err = r.rt.newFiber(); err != nil {
			return nil, err
		}
	}
	t := threadOf(f)
	t.rt, t.heap, t.id, t.root = r.rt.index, r.heap, r.id, what
	t.entered[0], t.depth = r.id.Addr, 1
	t.slices.Store(uint32(r.gate.entered())) // so that of short threads some are measured
	if len(inside) > 0 {
		p := t.fiber.Alloc(uintptr(len(inside)) * unsafe.Sizeof(ID{}))
		if p == nil {
			t.drop()
			return nil, ErrStackFull
		}
		t.inside = unsafe.Slice((*ID)(p), len(inside))
		copy(t.inside, inside)
	}
	return t, nil
}

// to makes the method whose closure is fn what a new thread executes.
func (o *order) to(fn *closure) {
	if image.constant(uintptr(unsafe.Pointer(fn)), 8) {
		o.fn = fn
		return
	}
	o.closure = *fn
	o.fn = &o.closure
}

// with gives a new thread t its encoded argument.
func (o *order) with(t *Thread, wire []byte) error {
	if len(wire) == 0 {
		return nil
	}
	p := t.fiber.Alloc(uintptr(len(wire)))
	if p == nil {
		return ErrStackFull
	}
	o.wire = unsafe.Slice((*byte)(p), len(wire))
	copy(o.wire, wire)
	return nil
}

// start starts t, which is new or was detached, in r.
func (t *Thread) start(r *resident) {
	t.attach()
	if t.contended() {
		t.fiber.Kick() // as resume does
	}
	t.goOn(r)
}

// startAgain starts t, which was detached and has not left. It does not try to give way
// again at once.
func (t *Thread) startAgain(r *resident) {
	t.attach()
	t.goOn(r)
}

// goOn has a carrier run t, which is attached.
func (t *Thread) goOn(r *resident) {
	if r.leaving.Load() != nil || r.ending.Load() {
		t.fiber.Kick() // it may have come too late to be seen by those who want it to leave or to end
	}
	t.fiber.Start()
}

// attach enters t in the list of attached threads.
func (t *Thread) attach() {
	attached.mu.Lock()
	attached.all = append(attached.all, t)
	attached.looks = append(attached.looks, look{})
	t.place = len(attached.all)
	attached.mu.Unlock()
}

// detach is the inverse of attach.
func (t *Thread) detach() {
	attached.mu.Lock()
	defer attached.mu.Unlock()
	n := len(attached.all)
	last := attached.all[n-1]
	attached.all[t.place-1] = last
	last.place = t.place
	attached.all[n-1] = nil
	attached.all = attached.all[:n-1]
	attached.looks[t.place-1] = attached.looks[n-1]
	attached.looks = attached.looks[:n-1]
	t.place = 0
}

// vacate has t's region given up, and returns what waits for that.
func (t *Thread) vacate(giveUp func()) (resume []func()) {
	attached.mu.Lock()
	defer attached.mu.Unlock()
	giveUp()
	resume = attached.resume[t]
	delete(attached.resume, t)
	attached.contended.Store(int64(len(attached.resume)))
	return resume
}

// contended reports whether other parts of the thread that t is a part of wait for its
// region.
func (t *Thread) contended() bool {
	if attached.contended.Load() == 0 { // nearly always
		return false
	}
	attached.mu.Lock()
	defer attached.mu.Unlock()
	return len(attached.resume[t]) > 0
}

// eachInside calls do for all attached threads that are inside the proclet at addr.
// None of them vanishes meanwhile.
func eachInside(addr uint64, do func(*Thread)) {
	attached.mu.Lock()
	defer attached.mu.Unlock()
	for _, t := range attached.all {
		if slices.Contains(t.entered[:min(t.depth, maxDepth)], addr) {
			do(t)
		}
	}
}

// insideWith returns the addresses of the proclets that threads are inside of which
// began, as far as they are on this stack, in the one at addr.
func insideWith(addr uint64) (all []uint64) {
	attached.mu.Lock()
	defer attached.mu.Unlock()
	for _, t := range attached.all {
		if n := min(t.depth, maxDepth); n > 1 && t.entered[0] == addr {
			all = append(all, t.entered[1:n]...)
		}
	}
	return all
}

// ended is called on the carrier's stack when the outermost function of t, or of
// the part that t is, has returned.
func ended(f *fiber.Fiber) {
	t := threadOf(f)
	t.detach()
	t.drop()
}

// drop gives the region of a thread that has ended, or has not begun, back. Only
// the lowest part of a thread owns it.
func (t *Thread) drop() {
	owned, rt, region := t.fiber.Base() == 0, t.runtime(), t.fiber.Region()
	for _, f := range t.vacate(t.fiber.Free) {
		f()
	}
	if owned {
		rt.regions.put(region)
	}
}

// newFiber makes a fiber for a new thread.
func (rt *Runtime) newFiber() (*fiber.Fiber, error) {
	var occupied []mm.Range
	for {
		region, err := rt.region()
		var f *fiber.Fiber
		if err == nil {
			f, err = fiber.New(region, runThread)
		}
		if errors.Is(err, fiber.ErrOccupied) {
			occupied = append(occupied, region)
			continue
		}
		rt.regions.putLast(occupied)
		return f, err
	}
}

// spareFiber is newFiber for who cannot wait. It returns nil if no region is at hand.
func (rt *Runtime) spareFiber() *fiber.Fiber {
	region, ok := rt.regions.take()
	if !ok {
		return nil
	}
	f, err := fiber.New(region, runThread)
	if err != nil {
		rt.regions.putLast([]mm.Range{region})
		return nil
	}
	threadOf(f).rt = rt.index // for drop
	return f
}

// region returns a region for a new thread. It may have to wait for the directory.
func (rt *Runtime) region() (mm.Range, error) {
	if r, ok := rt.regions.take(); ok {
		return r, nil
	}
	return rt.net.LeaseStack(fiber.RegionSize)
}

// giveUp reports what must not happen, on a stack that nobody looks at.
func giveUp(what string, err error) { log.Printf("proclet: %s: %v", what, err) }
