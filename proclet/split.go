package proclet

import (
	"container/heap"
	"runtime"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
)

// A safe point is where a thread may leave: where it waits, calls another proclet,
// or says Checkpoint. A thread that has been kicked finds out at its next one
// whether a proclet that it is inside of wants to leave. If so it splits itself,
// so that every method on its stack is a thread of its own, and then the innermost one detaches itself if
// it is its proclet that leaves.

// Checkpoint lets the thread move, if its proclet is to. A method that computes for long
// without calling anybody calls it now and then; it costs a load. Values in Go's
// heap that the method still needs keep it from moving.
func (t *Thread) Checkpoint() {
	if t.fiber.Kicked() || alwaysMoving {
		t.safePoint(nil)
	}
}

// Guard keeps the thread, and so the proclets that it is inside of, from moving until Unguard.
// Calls of Guard nest. What is guarded should be short: a move that has
// to wait for long is given up and tried again later.
func (t *Thread) Guard() { t.guards++ }

// Unguard is the inverse of Guard. The last one is a safe point. It panics without
// a Guard.
func (t *Thread) Unguard() {
	if t.guards == 0 {
		panic("proclet: Unguard without Guard")
	}
	if t.guards--; t.guards == 0 && t.depth != 0 && (t.asked() || t.contended()) {
		t.safePoint(nil)
	}
}

// Unmovable calls f, during which the thread does not move.
func (t *Thread) Unmovable(f func()) {
	t.Guard()
	defer t.Unguard()
	f()
}

// asked reports whether a proclet that t is inside of is to leave or ends.
func (t *Thread) asked() bool {
	for _, addr := range t.entered[:t.depth] {
		if r := residentSlot(addr, false).Load(); r.leaving.Load() != nil || r.ending.Load() {
			return true
		}
	}
	return false
}

// safePoint is where t, which was kicked, may leave. It waits for w, if that is
// not nil.
func (t *Thread) safePoint(w *waiter) {
	if t.depth == 0 {
		return
	}
	t.fiber.ClearKick()
	interleave("a thread was kicked")
	contended := t.contended()
	switch {
	case t.guards > 0:
		return
	case !t.asked() && !contended:
		t.roundTrip()
		return
	}
	if w == nil && t.mustEnd() {
		t.ending = true
		runtime.Goexit()
	}
	if !fiber.Movable {
		return
	}
	if t.depth > 1 {
		if err := t.split(); err != nil {
			t.refuseLeaving(err)
			return
		}
	}
	if !t.mustLeave() && !contended {
		return
	}
	if t.root.kind == rootOutside {
		if err := t.becomeCall(t.id); err != nil {
			t.refuseLeaving(err)
			return
		}
	}
	t.waiting = w
	if err := t.fiber.Leave(); err != nil {
		t.refuseLeaving(err)
	}
}

// mustEnd reports whether t is to end, and does not yet, because the proclet that it
// was started in does.
func (t *Thread) mustEnd() bool {
	return t.root.kind == rootStarted && t.depth == 1 && t.guards == 0 && !t.ending && t.runtime().find(t.id).ending.Load()
}

// mustLeave reports whether the proclet of t's innermost method is to leave.
func (t *Thread) mustLeave() bool { return t.runtime().find(t.id).leaving.Load() != nil }

// refuseLeaving tells those who want the proclets to leave that t is inside of that it cannot.
func (t *Thread) refuseLeaving(err error) {
	for _, addr := range t.entered[:t.depth] {
		if l := residentSlot(addr, false).Load().leaving.Load(); l != nil {
			l.refuse(err)
		}
	}
}

// becomeCall makes t, the call of the proclet id by an ordinary goroutine, one
// with an identity, whose answer the goroutine gets wherever the proclet goes.
func (t *Thread) becomeCall(id ID) error {
	c := (*outsideCall)(constantAt(t.root.outside))
	call, err := t.runtime().identify(id, func(_ uint64, answer []byte) {
		c.answer = answer
		c.done <- struct{}{}
	})
	if err != nil {
		return err
	}
	t.root = purpose{kind: rootCalled, call: call, sig: t.root.sig}
	interleave("a call has an identity")
	return nil
}

// cut is one place where a thread is split: between a method and the one that it
// has called.
type cut struct {
	lower, upper ID // their proclets
	call         callID
	expected     *expected
	frozen       *frozen
	inside       []ID
}

// split makes every method on t's stack a thread of its own. A call between two of
// them becomes one with an identity, and its answer what the caller expects. t is
// the innermost one then. On an error nothing has changed.
func (t *Thread) split() error {
	var cuts [maxDepth]cut
	n := t.depth - 1
	size := t.imageBound()
	if t.root.kind == rootOutside {
		// The lowest part may leave later, while it is frozen.
		lowest := t.below
		for lowest.below != 0 {
			lowest = lowest.below.pointer()
		}
		if err := t.becomeCall(lowest.id); err != nil {
			return err
		}
	}
	inside, err := t.keepInside(t.heap, t.below)
	if err != nil {
		return err
	}
	for a, upper, i := t.below, t.id, n; a != nil; a, upper = a.below.pointer(), a.id {
		i--
		cuts[i] = cut{lower: a.id, upper: upper}
		if err := t.prepare(&cuts[i], a, size); err != nil {
			freeInside(t.heap, inside)
			t.undo(cuts[i+1 : n])
			return err
		}
	}
	for a := t.below; a != nil; a = a.below.pointer() {
		if a.root = t.root; a.below != 0 {
			below := a.below.pointer()
			a.root = purpose{kind: rootCalled, call: below.call, sig: below.sig}
		}
	}
	sig := t.below.sig
	images, err := t.fiber.Split()
	if err != nil {
		freeInside(t.heap, inside)
		t.undo(cuts[:n])
		return err
	}
	rt, whole := t.runtime(), t.root
	t.alone(purpose{kind: rootCalled, call: cuts[n-1].call, sig: sig}, inside)
	rt.find(t.id).reassign(t, whole.call, t.root.call)
	for i, of := 0, whole.call; i < n; i, of = i+1, cuts[i].call {
		c := &cuts[i]
		rt.find(c.lower).noteCall(c.expected, pendingCall{to: c.upper, slot: c.call.slot, of: of})
	}
	if lowest := rt.find(cuts[0].lower); whole.kind == rootCalled && lowest.once.isCancelled(whole.call) {
		lowest.passOn(whole.call)
	}
	for i, image := range images {
		interleave("a thread is split")
		c := &cuts[i]
		rt.find(c.lower).freezeLower(c, image)
	}
	return nil
}

// alone makes t one that consists of its innermost method. inside is what keepInside
// has returned for that.
func (t *Thread) alone(what purpose, inside []ID) {
	if len(inside) > 0 {
		t.inside, t.kept = inside, true
	}
	t.root, t.below, t.depth, t.entered[0] = what, nil, 1, t.id.Addr
}

// keepInside returns where the chain of calls is inside of below one of t's methods,
// which was called by that of a, for the part that it becomes: nil if that is the lowest
// one, which has it. It lies in the heap of the part's proclet, because the arena
// above what the method has now may be released before the method ends.
func (t *Thread) keepInside(h *mm.Heap, a *activation) ([]ID, error) {
	n := len(t.inside)
	for b := a; b != nil; b = b.below.pointer() {
		n++
	}
	if n == len(t.inside) {
		return nil, nil
	}
	p, err := h.AllocReserved(uint64(n) * uint64(unsafe.Sizeof(ID{})))
	if err != nil {
		return nil, err
	}
	all := unsafe.Slice((*ID)(p), n)
	copy(all, t.inside)
	for b := a; b != nil; b = b.below.pointer() {
		n--
		all[n] = b.id
	}
	return all, nil
}

func freeInside(h *mm.Heap, inside []ID) {
	if inside != nil {
		h.Free(unsafe.Pointer(unsafe.SliceData(inside)))
	}
}

// imageBound is a number of bytes that the image of no part of t exceeds.
func (t *Thread) imageBound() uintptr {
	var here byte
	top := uintptr(unsafe.Pointer(t))
	return 2*fiber.HeaderSize + top - uintptr(unsafe.Pointer(&here)) + t.fiber.Mark() - uintptr(t.fiber.Region().Base)
}

// prepare gives the call between a and what is above it an identity, and makes
// what a's method expects of it.
func (t *Thread) prepare(c *cut, a *activation, size uintptr) error {
	rt, lower := t.runtime(), c.lower
	var err error
	c.call, err = rt.identify(c.upper, func(seq uint64, answer []byte) { go rt.deliverAnswer(lower, seq, answer) })
	if err != nil {
		return err
	}
	what := rootCalled
	if a.below == 0 {
		what = t.root.kind
	}
	if c.frozen, err = newFrozen(a.heap.pointer(), t, what, size); err == nil {
		if c.expected, err = rt.find(c.lower).expect(t, c.call.seq); err == nil {
			if a.more && a.until != 0 {
				c.expected.deadline = a.until
			}
			if c.inside, err = t.keepInside(a.heap.pointer(), a.below.pointer()); err == nil {
				a.call, a.sig, a.expected = c.call, signatureTableOf(a.types.pointer().sig), toUncollected(c.expected)
				a.inside, a.ninside = toUncollected(unsafe.SliceData(c.inside)), len(c.inside)
				return nil
			}
			rt.find(c.lower).forget(c.expected)
		}
		a.heap.pointer().Free(unsafe.Pointer(c.frozen))
	}
	rt.cancel(c)
	return err
}

// undo undoes prepare.
func (t *Thread) undo(cuts []cut) {
	for a := t.below; a != nil; a = a.below.pointer() {
		a.expected = 0
	}
	rt := t.runtime()
	for i := range cuts {
		c := &cuts[i]
		r := rt.find(c.lower)
		r.forget(c.expected)
		freeInside(r.heap, c.inside)
		r.heap.Free(unsafe.Pointer(c.frozen))
		rt.cancel(c)
	}
}

// cancel takes the identity from a call.
func (rt *Runtime) cancel(c *cut) {
	rt.find(c.upper).once.end(c.call, []byte{answerGone})
	rt.slots.put(c.upper, slot{number: c.call.slot, seq: c.call.seq})
}

// freezeLower freezes the part of t below a cut, in r. It waits for the answer that
// it expects from now on.
func (r *resident) freezeLower(c *cut, image []byte) {
	r.mu.Lock()
	c.frozen.len = uint64(copy(c.frozen.image(), image))
	r.add(c.frozen, &c.expected.waiter)
	leaving := r.leaving.Load() != nil
	if !leaving && c.expected.deadline != never {
		r.deadlines.Push(c.frozen)
		heap.Init(&r.deadlines)
		r.reviveDue(r.clock())
	}
	r.mu.Unlock()
	if leaving {
		r.gate.uncountFrozen(1)
	}
}
