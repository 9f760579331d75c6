package main

import (
	"fmt"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// Wanderer is the state of the one proclet.
type Wanderer struct {
	visits proclet.Map[rack.MachineID, int64] // arrivals by machine
}

// journey is where Wander is to go.
type journey struct {
	ID   proclet.ID // of the proclet itself
	Hops int        // 0 is without end
}

// arrival is what Wander has done.
type arrival struct {
	Hops, Walks int
	Sum         uint64
}

// Wander walks through the tree again and again until it has hopped often enough.
func (w *Wanderer) Wander(t *proclet.Thread, j journey) (arrival, error) {
	tr := traveller{state: w, id: j.ID, limit: j.Hops}
	var a arrival
	for !tr.done() {
		a.Walks++
		tr.walks = a.Walks
		far, near := walk{traveller: &tr}, walk{}
		got := far.visit(t, nil, uint64(a.Walks), walkHeight)
		want := near.visit(t, nil, uint64(a.Walks), walkHeight)
		if got != want || far.sum != near.sum || far.deep != near.deep {
			return a, fmt.Errorf("walk %d, after %d hops: value %x, checksum %x, depth %d; without hops %x, %x, %d",
				a.Walks, tr.hops, got, far.sum, far.deep, want, near.sum, near.deep)
		}
		a.Sum = mix(a.Sum, far.sum)
		a.Hops = tr.hops
		if tr.said == 0 || tr.verified != tr.said {
			say("PASS walk %d: checksum %016x, with %d hops so far as without one", a.Walks, far.sum, tr.hops)
			tr.verified = tr.said
		}
	}
	visits := int64(0)
	for _, n := range w.visits.All() {
		visits += *n
	}
	if visits != int64(a.Hops) {
		return a, fmt.Errorf("%d hops, but %d arrivals are in the heap", a.Hops, visits)
	}
	return a, nil
}

// often is how much time of the proclet's clock passes between two lines.
const often = time.Second

// arrived counts a hop, and says where the thread is: each of the first, then
// every second.
func (tr *traveller) arrived(t *proclet.Thread, depth int, sum uint64) {
	tr.hops++
	n, err := tr.state.visits.Entry(t, here())
	if err != nil {
		panic(err)
	}
	*n++
	if now := t.Now().UnixNano(); tr.hops <= 10 || now-tr.last >= int64(often) {
		tr.last = now
		tr.said++
		say("machine %d: hop %d, walk %d, %d frames deep, checksum %016x", here(), tr.hops, tr.walks, depth, sum)
	}
}

// say prints a line. What that makes in Go's heap is gone before the next hop.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
