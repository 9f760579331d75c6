package simulation

import (
	"math"
	"time"

	"nuos/rack/placement"
)

// machine is one incarnation of a machine.
type machine struct {
	id       placement.Machine
	dead     bool
	paused   time.Duration // until then it does nothing
	side     int           // of the network, while that is divided
	draining bool

	proclets []*proclet
	load     []float64 // by application: the part of its load that is here
	memory   []float64 // by application: bytes at its peak that are here
	begins   need      // when the present row of load begins
	ends     need      // when it ends

	sensor   *placement.Sensor
	source   *placement.Source
	cost     *placement.Cost
	pressure time.Duration // since when there is some; 0: there is none

	moved   int64  // bytes that have come by moves, less those that have gone
	request uint64 // that an answer is awaited to, 0: none
	give    *giving
	takes   int // grants to it that are being used
}

// giving is a grant that a machine makes use of.
type giving struct {
	grant placement.Grant
	to    *machine
	reign int           // of the leader that granted it
	until time.Duration // it holds
	batch []placement.Candidate
	moved int
	bytes uint64
	load  float64
}

// proclet is what moves.
type proclet struct {
	key         uint64
	application int
	share       float64 // of its application's load
	peak        float64 // bytes when its application's load is highest
	at          *machine
	place       int // in at.proclets
	since       time.Duration
}

func (w *world) newMachine() *machine {
	w.incarnations++
	m := &machine{
		id:   placement.Machine(w.incarnations),
		load: make([]float64, w.config.Load.applications), memory: make([]float64, w.config.Load.applications),
		sensor: placement.NewSensor(w.policy), source: placement.NewSource(w.policy), cost: placement.NewCost(),
	}
	return m
}

// settle puts a proclet on a machine.
func (w *world) settle(p *proclet, m *machine) {
	p.at, p.place, p.since = m, len(m.proclets), w.now
	m.proclets = append(m.proclets, p)
	w.weigh(p, m, +1)
}

// take takes a proclet off its machine.
func (w *world) take(p *proclet) {
	m := p.at
	last := m.proclets[len(m.proclets)-1]
	m.proclets[p.place], last.place = last, p.place
	m.proclets = m.proclets[:len(m.proclets)-1]
	w.weigh(p, m, -1)
	p.at = nil
}

// sense is what a machine does every millisecond, whatever else.
func (w *world) sense(m *machine) {
	demand, free := w.demand(m)
	w.result.demand(demand, min(demand, float64(w.config.Processors)), free == 0)
	if m.dead || w.now < m.paused {
		return
	}
	// Threads come and go: as many want to run as on average, more or less.
	want := int(max(demand+math.Sqrt(demand)/2*w.random.NormFloat64()+.5, 0))
	running := min(want, w.config.Processors)
	changes := m.sensor.Add(placement.Sample{
		At: w.now, Free: free, Total: w.config.Memory,
		Processors: w.config.Processors, Running: running, Waiting: want - running, Moved: m.moved,
	})
	for _, c := range changes {
		w.say("machine %d: %s", m.id, c)
	}
	switch st := m.sensor.State(); {
	case (st.Memory || st.Processor) && m.pressure == 0:
		m.pressure = w.now
	case !st.Memory && !st.Processor && m.pressure != 0:
		w.result.relieved(w.now - m.pressure)
		m.pressure = 0
	}
}

// report tells the leader what a machine sees.
func (w *world) report(m *machine) {
	st, draining := m.sensor.State(), m.draining
	w.tell(m, func() { w.leader.Report(w.now, m.id, st, draining) })
}

// act asks for relief when a machine needs it.
func (w *world) act(m *machine) {
	if w.config.Still || m.give != nil || m.takes > 0 {
		return
	}
	st := m.sensor.State()
	kind, ok := m.source.Next(w.now, st, m.draining && len(m.proclets) > 0)
	if !ok {
		return
	}
	q, any := w.policy.Ask(w.now, m.id, kind, st, w.candidates(m))
	if !any {
		m.source.Refused(w.now)
		return
	}
	w.requests++
	request, asked := w.requests, w.now
	m.request = request
	answered := func() bool { return m.dead || m.request != request }
	w.tell(m, func() {
		g, reign := w.leader.Ask(w.now, q), w.reign
		w.say("machine %d asks for %v and gets %d: %s", m.id, kind, g.To, g.Reason)
		w.send(w.leaderAt, m, func() {
			if answered() {
				return
			}
			m.request = 0
			if g.To == 0 {
				w.result.Refusals++
				m.source.Refused(w.now)
				return
			}
			w.begin(m, g, reign, asked+g.Lease)
		})
	})
	w.after(answerTimeout, func() {
		if !answered() {
			m.request = 0
			m.source.Refused(w.now)
		}
	})
}

// answerTimeout is how long a machine waits for the leader's answer.
const answerTimeout = 500 * time.Millisecond

func (w *world) candidates(m *machine) []placement.Candidate {
	all := make([]placement.Candidate, 0, len(m.proclets))
	for _, p := range m.proclets {
		n := p.of(w.needed(p.application))
		bytes := uint64(n.memory)
		all = append(all, placement.Candidate{Key: placement.Key{p.key}, Copy: bytes, Frees: bytes, Load: n.processors, Since: p.since})
	}
	return all
}

// begin makes use of a grant.
func (w *world) begin(m *machine, g placement.Grant, reign int, until time.Duration) {
	to := w.byID[g.To]
	m.give = &giving{grant: g, to: to, reign: reign, until: until, batch: w.policy.Pick(w.now, g, w.candidates(m), m.cost)}
	if to == nil { // it has died meanwhile
		m.give.batch = nil
		w.end(m, false)
		return
	}
	to.takes++
	w.checkGrant(m)
	w.say("machine %d moves %d of %d proclets to %d (%v)", m.id, len(m.give.batch), len(m.proclets), g.To, g.Kind)
	w.next(m)
}

// next begins the next move of a batch, or ends it.
func (w *world) next(m *machine) {
	g := m.give
	if len(g.batch) == 0 || w.now >= g.until {
		w.end(m, false)
		return
	}
	p, ok := w.proclets[g.batch[0].Key[0]]
	if !ok || p.at != m {
		g.batch = g.batch[1:] // it was lost, or it ended
		w.next(m)
		return
	}
	bytes := w.bytes(p)
	d := time.Duration(w.config.Cost.Microseconds(bytes) * float64(time.Microsecond))
	w.after(d, func() { w.arrive(m, g, p, bytes, d) })
}

// arrive is the end of a move.
func (w *world) arrive(m *machine, g *giving, p *proclet, bytes uint64, took time.Duration) {
	to := g.to
	switch {
	case m.dead || m.give != g:
		return
	case to.dead:
		w.end(m, false)
		return
	case w.now < m.paused || w.now < to.paused || w.apart(m, to):
		w.after(10*step, func() { w.arrive(m, g, p, bytes, took) })
		return
	case w.now >= g.until:
		w.end(m, false)
		return
	case to.sensor.State().Memory || to.draining || to.give != nil || w.free(to) < bytes:
		w.say("machine %d refuses %s", to.id, placement.Size(bytes))
		w.result.RefusedMoves++
		w.end(m, true)
		return
	}
	c := g.batch[0]
	g.batch = g.batch[1:]
	w.checkMove(m, p, c)
	w.take(p)
	w.settle(p, to)
	m.moved -= int64(bytes)
	to.moved += int64(bytes)
	m.cost.Learn(bytes, took)
	g.moved++
	g.bytes += c.Frees
	g.load += c.Load
	w.result.Moves++
	w.result.Bytes += bytes
	w.next(m)
}

// end says what has become of a grant.
func (w *world) end(m *machine, refused bool) {
	g := m.give
	m.give = nil
	if g.to != nil {
		g.to.takes--
	}
	w.tell(m, func() {
		if w.reign != g.reign {
			return // another leader never knew of it
		}
		if refused {
			w.leader.Refused(w.now, m.id, g.bytes, g.load)
		} else {
			w.leader.Done(w.now, m.id, g.bytes, g.load)
		}
	})
	m.source.Finished(w.now, g.grant.Kind, g.moved)
}
