package main

import (
	"runtime"

	"nuos/proclet"
	"nuos/rack"
)

// The walk goes through a tree: a node of height h has one child of height h-1
// and one of height h-2. At every node the thread hops to another machine, in the
// middle of a recursion that is up to walkHeight frames deep.
const walkHeight = 14

// node is what the walk keeps of a node on its way down. It lies in a frame of
// the recursion, and points to one further up the stack.
type node struct {
	up     *node
	height int
	seed   uint64
	traces [4]uint64
}

// walk is one walk through the tree, or many. The thread has it in a frame, too.
type walk struct {
	sum  uint64 // depends on every node, and on the order of them
	deep int    // longest way up that was found

	// A walk without a traveller goes nowhere; it is what the other is
	// compared with.
	*traveller
}

// visit walks through the tree below the node with that seed and height, whose
// parent is up, and returns a value that depends on all of it.
func (w *walk) visit(t *proclet.Thread, up *node, seed uint64, height int) (value uint64) {
	at := node{up: up, height: height, seed: seed}
	deep := 0
	defer func() {
		// Here the thread hops in the middle of a panic, or of a return.
		w.step(t, deep, w.sum)
		if recover() != nil {
			value = mix(seed, 1)
		}
		w.sum = mix(w.sum, value)
	}()
	for n := &at; n != nil; n = n.up {
		n.traces[deep&3] = mix(n.traces[deep&3], n.seed+uint64(height))
		deep++
	}
	w.deep = max(w.deep, deep)
	if height < 2 {
		if seed&3 == 0 {
			panic("a leaf that falls")
		}
		w.step(t, deep, w.sum)
		return mix(seed, 2)
	}
	left := w.visit(t, &at, mix(seed, 3), height-1)
	right := w.visit(t, &at, mix(seed, 4), height-2)
	value = mix(left, right)
	for _, trace := range at.traces {
		value = mix(value, trace)
	}
	return value
}

// mix makes one number of two; none of their bits is without effect on it.
func mix(a, b uint64) uint64 {
	a ^= b + 0x9e3779b97f4a7c15 + a<<6 + a>>2
	a ^= a >> 30
	a *= 0xbf58476d1ce4e5b9
	return a ^ a>>27
}

// traveller is what a walk that travels knows.
type traveller struct {
	state *Wanderer // in the proclet's heap
	id    proclet.ID
	limit int // of hops; 0 is none
	hops  int
	walks int

	last           int64 // when it last said where it is
	said, verified int   // how often it did, and when a walk was last compared
}

func (tr *traveller) done() bool { return tr.limit > 0 && tr.hops >= tr.limit }

// step takes the thread, with all its proclet, to the next machine.
func (tr *traveller) step(t *proclet.Thread, depth int, sum uint64) {
	if tr == nil || tr.done() {
		return
	}
	from := here()
	carryOn(tr.id)
	for here() == from {
		// The porter needs the processor, and us at a place where we can be
		// moved.
		runtime.Gosched()
		t.Checkpoint()
	}
	tr.arrived(t, depth, sum)
}

// here returns the machine that this code runs on. It is not inlined, since the
// answer is another one after a safe point.
//
//go:noinline
func here() rack.MachineID { return machine.self }
