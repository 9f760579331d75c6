package placement

import (
	"cmp"
	"container/heap"
	"slices"
	"sort"
	"time"
)

// Key names a proclet.
type Key [2]uint64

// Candidate is a proclet that could move.
type Candidate struct {
	Key    Key
	Copy   uint64        // bytes to send
	Frees  uint64        // bytes of memory that its machine has back then
	Load   float64       // processors that it uses
	Since  time.Duration // when it came, or could not be moved
	Calls  float64       // its share of calls that come from its own machine
	Near   Machine       // the other machine that calls it most, 0 if none does
	NearBy float64       // that one's share of its calls
}

// Request is what a source asks the leader for.
type Request struct {
	From    Machine
	Kind    Kind
	Bytes   uint64  // to be freed; what moves needs as much elsewhere
	Load    float64 // processors to be relieved of
	Least   uint64  // bytes of the smallest candidate
	LeastOf float64 // processors that the least busy candidate uses
	Callers []Share // who calls the candidates
}

// Share is a machine's part of calls.
type Share struct {
	Machine Machine
	Part    float64
}

// minLoad is how many processors a proclet uses at least for it to be worth a move to a less busy
// machine.
const minLoad = .002

// may reports whether c is to be considered at all.
func (p *Policy) may(now time.Duration, k Kind, c *Candidate) bool {
	if k == Draining {
		return true
	}
	if now-c.Since < p.Residence {
		return false
	}
	switch k {
	case Processor:
		return c.Load >= minLoad
	case Evening:
		return c.Calls <= .5 // what is called from here is well here, as long as there is no pressure
	}
	return true
}

// Ask makes the request for relief from a pressure; false if there is nothing that could move.
func (p *Policy) Ask(now time.Duration, from Machine, k Kind, st State, all []Candidate) (Request, bool) {
	q := Request{From: from, Kind: k}
	switch k {
	case Memory:
		q.Bytes = st.Need(p)
	case Processor:
		q.Load = max(st.Excess(), p.MinSpare)
	}
	near := map[Machine]float64{}
	weights, any := 0., false
	for i := range all {
		c := &all[i]
		if !p.may(now, k, c) {
			continue
		}
		if !any || c.Frees < q.Least {
			q.Least = c.Frees
		}
		if !any || c.Load < q.LeastOf {
			q.LeastOf = c.Load
		}
		any = true
		if k == Draining {
			q.Bytes += c.Frees
			q.Load += c.Load
		}
		w := c.Load + 1e-6 // of proclets at rest, too, somebody calls some more
		weights += w
		if c.Near != 0 {
			near[c.Near] += w * c.NearBy
		}
	}
	for m, w := range near {
		q.Callers = append(q.Callers, Share{m, w / weights})
	}
	slices.SortFunc(q.Callers, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Part, a.Part), cmp.Compare(a.Machine, b.Machine))
	})
	q.Callers = q.Callers[:min(len(q.Callers), maxCallers)]
	return q, any
}

const maxCallers = 8

// Pick chooses what moves with a grant, best first. It takes time proportional to the number of
// candidates.
func (p *Policy) Pick(now time.Duration, g Grant, all []Candidate, cost *Cost) (chosen []Candidate) {
	fixed, perByte := cost.Model()
	best := top{limit: 4 * p.Batch}
	for i := range all {
		c := &all[i]
		if !p.may(now, g.Kind, c) || c.Frees > g.Bytes || p.loads(g.Kind) && c.Load > g.Load {
			continue
		}
		best.add(scored{p.benefit(g, c) / (fixed + float64(c.Copy)*perByte), i})
	}
	bytes, load := g.Bytes, g.Load
	var freed uint64
	var relieved float64
	for _, s := range best.sorted() {
		c := &all[s.index]
		if c.Frees > bytes || p.loads(g.Kind) && c.Load > load {
			continue // a smaller one may fit
		}
		chosen = append(chosen, *c)
		bytes -= c.Frees
		load -= c.Load
		freed += c.Frees
		relieved += c.Load
		if len(chosen) == p.Batch || g.satisfied(freed, relieved) {
			break
		}
	}
	return chosen
}

// loads reports whether the load of what moves has to fit into what was granted. Who runs out of
// memory cannot choose.
func (p *Policy) loads(k Kind) bool { return k == Processor || k == Evening }

func (g *Grant) satisfied(freed uint64, relieved float64) bool {
	switch g.Kind {
	case Memory:
		return freed >= g.WantBytes
	case Processor:
		return relieved >= g.WantLoad
	case Evening:
		return (g.WantBytes > 0 || g.WantLoad > 0) && freed >= g.WantBytes && relieved >= g.WantLoad
	}
	return false
}

// benefit is what the move of c is good for, per unit of the time that it takes. Calls that need not
// cross the network any more make it larger, those that will have to smaller.
func (p *Policy) benefit(g Grant, c *Candidate) float64 {
	b := 1.
	switch g.Kind {
	case Memory:
		b = float64(c.Frees)
	case Processor:
		b = c.Load
	case Evening:
		if b = float64(c.Frees); g.WantLoad > 0 {
			b = c.Load
		}
	}
	affinity := 1 - c.Calls/2
	if c.Near == g.To {
		affinity += c.NearBy
	}
	return b * affinity
}

// scored is a candidate's place in a list, and what it is worth.
type scored struct {
	score float64
	index int
}

// top keeps the best of many: a heap with the worst of them on top.
type top struct {
	limit int
	heap  worstFirst
}

func (t *top) add(s scored) {
	switch {
	case len(t.heap) < t.limit:
		heap.Push(&t.heap, s)
	case t.heap.worse(t.heap[0], s):
		t.heap[0] = s
		heap.Fix(&t.heap, 0)
	}
}

// sorted returns what is left, the best first.
func (t *top) sorted() []scored {
	sort.Sort(sort.Reverse(t.heap))
	return t.heap
}

type worstFirst []scored

func (h worstFirst) worse(a, b scored) bool {
	return a.score < b.score || a.score == b.score && a.index > b.index
}
func (h worstFirst) Len() int           { return len(h) }
func (h worstFirst) Less(i, j int) bool { return h.worse(h[i], h[j]) }
func (h worstFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *worstFirst) Push(x any)        { *h = append(*h, x.(scored)) }
func (h *worstFirst) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
