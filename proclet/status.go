package proclet

import (
	"encoding/json"

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
}

// Status is what this machine answers on rack.ServiceProcletAdmin, as JSON.
type Status struct {
	Machine  rack.MachineID `json:"machine"`
	Proclets []Info         `json:"proclets"`
}

// Proclets lists the proclets that live on this machine, in the order of their
// addresses.
func (rt *Runtime) Proclets() []Info {
	var all []Info
	for _, r := range rt.all() {
		if i, ok := r.info(); ok {
			all = append(all, i)
		}
	}
	return all
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

func (r *resident) info() (Info, bool) {
	r.alive.RLock()
	defer r.alive.RUnlock()
	if r.heap == nil {
		return Info{}, false
	}
	s := r.frozen
	if s == nil {
		now := r.heap.Stats()
		s = &now
	}
	return Info{
		ID: r.id.String(), Type: r.kind.reflectType().String(),
		Capacity: s.Capacity, Mapped: s.Mapped, Used: s.Used, Peak: s.Peak,
		Pinned: r.head.pinned, Leaving: r.gate.closed(), Moves: r.moves, Calls: r.calls(), Refs: r.head.refs.n.Load(),
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
