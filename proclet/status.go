package proclet

import (
	"encoding/json"
	"math"

	"nuos/mm"
	"nuos/rack"
)

// Info describes a proclet that lives on this machine.
type Info struct {
	ID       string `json:"id"` // see [ParseID]
	Type     string `json:"type"`
	Capacity uint64 `json:"capacity"`         // bytes
	Mapped   uint64 `json:"mapped"`           // bytes of memory taken
	Used     uint64 `json:"used"`             // bytes allocated in the heap
	Peak     uint64 `json:"peak"`             // most bytes allocated so far
	Pinned   bool   `json:"pinned,omitempty"` // may not move
	Leaving  bool   `json:"leaving,omitempty"`
	Moves    uint64 `json:"moves"` // how often it has moved
	Calls    uint64 `json:"calls"` // calls so far, on all machines where it lived
	Refs     uint64 `json:"refs"`  // who holds it: counted references

	Processors float64  `json:"processors"`        // that it uses, lately
	Callers    []Caller `json:"callers,omitempty"` // who calls it, those first that do so most
}

// Status is what this machine answers on rack.ServiceProcletAdmin, as JSON.
type Status struct {
	Machine  rack.MachineID `json:"machine"`
	Proclets []Info         `json:"proclets"`
}

// Proclets lists the proclets that live on this machine, in the order of their
// addresses.
func (rt *Runtime) Proclets() []Info {
	lookAtThreads(math.MaxInt)
	var all []Info
	for _, r := range rt.all() {
		if i, ok := r.info(); ok {
			all = append(all, i)
		}
	}
	return all
}

// Calls returns how many calls proclets have had on this machine, whether they live here
// still or not. It never decreases: what is just leaving may be missing for a moment, and
// then the last number is returned again.
func (rt *Runtime) Calls() uint64 {
	n := rt.past.Load()
	for _, r := range rt.all() {
		n += r.gate.entered()
	}
	for {
		most := rt.counted.Load()
		if n <= most || rt.counted.CompareAndSwap(most, n) {
			return max(n, most)
		}
	}
}

// Info describes one proclet. ErrNoProclet if it does not live here.
func (rt *Runtime) Info(id ID) (Info, error) {
	if r := rt.find(id); r != nil {
		if i, ok := r.info(); ok {
			return i, nil
		}
	}
	return Info{}, ErrNoProclet
}

// stats returns the sizes of the heap, unless that is there no more. alive is held.
func (r *resident) stats() (mm.HeapStats, bool) {
	switch {
	case r.heap == nil:
		return mm.HeapStats{}, false
	case r.frozen != nil:
		return *r.frozen, true
	}
	return r.heap.Stats(), true
}

func (r *resident) info() (Info, bool) {
	r.alive.RLock()
	defer r.alive.RUnlock()
	s, ok := r.stats()
	if !ok {
		return Info{}, false
	}
	return Info{
		ID: r.id.String(), Type: r.kind.reflectType().String(),
		Capacity: s.Capacity, Mapped: s.Mapped, Used: s.Used, Peak: s.Peak,
		Pinned: r.head.pinned, Leaving: r.gate.closed(), Moves: r.moves, Calls: r.calls(), Refs: r.head.refs.n.Load(),
		Processors: r.load.read(machineClock()), Callers: r.load.shares(),
	}, true
}

func (rt *Runtime) serveAdmin(q rack.Request) {
	b, err := json.Marshal(Status{rt.self, rt.Proclets()})
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(b)
}
