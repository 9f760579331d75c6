package simulation

// What applications ask for, and so what machines need, is a line from one row of the table of
// load to the next. Its ends are computed when a row begins or a proclet moves, not at every step.

// need is what an application, or a machine, needs.
type need struct {
	processors float64
	memory     float64 // bytes; of an application: the part of its proclets' bytes that is in use
}

func (n need) plus(m need, factor float64) need {
	return need{n.processors + factor*m.processors, n.memory + factor*m.memory}
}

// between is what lies between two needs.
func between(a, b need, part float64) need { return a.plus(b.plus(a, -1), part) }

// of is what a proclet needs if its application needs n.
func (p *proclet) of(n need) need { return need{p.share * n.processors, p.peak * n.memory} }

// look finds out what applications ask for now.
func (w *world) look() {
	row, before, after, part := w.config.Load.around(w.now)
	w.part = part
	if row == w.row && w.now > 0 {
		return
	}
	w.row = row
	for a := range w.begins {
		w.begins[a], w.ends[a] = w.needs(a, before[a]), w.needs(a, after[a])
	}
	for _, m := range w.machines {
		m.begins, m.ends = need{}, need{}
		for a := range m.load {
			here := need{m.load[a], m.memory[a]}
			m.begins.processors += here.processors * w.begins[a].processors
			m.begins.memory += here.memory * w.begins[a].memory
			m.ends.processors += here.processors * w.ends[a].processors
			m.ends.memory += here.memory * w.ends[a].memory
		}
	}
}

// needs is what an application needs that asks for so many processors: half of its bytes are always in use,
// and the rest as it is busy.
func (w *world) needs(a int, processors float64) need {
	n := need{processors, 1}
	if w.peaks[a] > 0 {
		n.memory = .5 + .5*processors/w.peaks[a]
	}
	return n
}

// needed is what an application needs now.
func (w *world) needed(a int) need { return between(w.begins[a], w.ends[a], w.part) }

// bytes is what a proclet takes now.
func (w *world) bytes(p *proclet) uint64 { return uint64(p.of(w.needed(p.application)).memory) }

// demand is how many processors are asked for on a machine, and free how many bytes are.
func (w *world) demand(m *machine) (processors float64, free uint64) {
	n := between(m.begins, m.ends, w.part)
	return max(n.processors, 0), uint64(max(float64(w.config.Memory)-n.memory, 0))
}

func (w *world) free(m *machine) uint64 {
	_, free := w.demand(m)
	return free
}

// weigh adds a proclet to what its machine needs, or takes it off.
func (w *world) weigh(p *proclet, m *machine, sign float64) {
	a := p.application
	m.load[a] += sign * p.share
	m.memory[a] += sign * p.peak
	m.begins = m.begins.plus(p.of(w.begins[a]), sign)
	m.ends = m.ends.plus(p.of(w.ends[a]), sign)
}
