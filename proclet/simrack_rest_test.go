package proclet

import "nuos/mm"

// What is left in a simulated rack when everything has ended.

// checkRest looks for what has been left behind.
func (w *simWorld) checkRest() {
	regions := map[mm.Range]*simMachine{}
	leased, dead := 0, w.anyDead()
	for _, m := range w.machines {
		leased += len(m.stacks)
		for _, r := range m.rt.regions.free {
			if regions[r] != nil {
				w.breaks("the stack at %x is both %v's and %v's", r.Base, regions[r], m)
			}
			regions[r] = m
		}
		if n := len(m.coming) + len(m.rt.arriving); n > 0 && !m.dead {
			w.breaks("%v expects %d proclets", m, n)
		}
	}
	if len(regions) != leased && !dead {
		w.breaks("%d stacks of %d are free", len(regions), leased)
	}
	holders := w.holders()
	for _, r := range w.residents() {
		if w.host(r.rt).dead {
			continue
		}
		name := w.names[r.id]
		if r.gate.closed() || r.gate.inside() != 0 || r.leaving.Load() != nil {
			w.breaks("%s: %d inside, closed %v", name, r.gate.inside(), r.gate.closed())
		}
		if n := r.head.refs.n.Load(); n != holders[r.id] && w.doubts == 0 && !dead {
			w.breaks("%s has %d holders and counts %d", name, holders[r.id], n)
		}
		if err := r.heap.Check(); err != nil {
			w.breaks("%s: %v", name, err)
		}
		entries, expected := r.waiting()
		if entries > 0 && w.doubts == 0 && !dead || expected > 0 || r.head.frozen.n > 0 || r.head.started.running != nil || r.head.once.cancels.Load() != 0 {
			w.breaks("%s has %d entries of calls, expects %d answers, has %d frozen and %v started threads, %d cancelled calls", name,
				entries, expected, r.head.frozen.n, r.head.started.running != nil, r.head.once.cancels.Load())
		}
		s := (*subject)(r.state)
		if s.alone != 0 || !s.cond.queue.empty() || !s.mu.queue.empty() {
			w.breaks("%s: %d alone; threads are queued: %v", name, s.alone, !s.cond.queue.empty() || !s.mu.queue.empty())
		}
	}
}

// waiting returns how many entries the table of calls has, and what is expected.
func (r *resident) waiting() (entries, expected int) {
	for _, e := range r.head.once.buckets {
		for ; e != nil; e = e.next {
			entries++
		}
	}
	for _, e := range r.head.expectations.buckets {
		for ; e != nil; e = e.link {
			expected++
		}
	}
	return entries, expected
}

// holders counts who holds each proclet.
func (w *simWorld) holders() map[ID]uint64 {
	n := map[ID]uint64{}
	for _, m := range w.machines {
		for h, o := range m.rt.outsiders.owns {
			n[h.id] += uint64(o.n)
			if o.kept {
				n[h.id]++
			}
		}
	}
	for _, r := range w.residents() {
		for i := range r.head.holdings.cap {
			e := r.head.holdings.at(i)
			n[e.of.id] += e.n
		}
	}
	return n
}
