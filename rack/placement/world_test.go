package placement

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// world is a rack in virtual time: machines that have memory, processors and proclets, and that do
// what the state machines say.
type world struct {
	t       *testing.T
	random  *rand.Rand
	policy  Policy
	now     time.Duration
	leader  *Leader
	hosts   map[Machine]*host
	order   []*host
	moves   int
	last    time.Duration // when something moved last
	trace   []string
	changes int // of pressure
}

type host struct {
	id                Machine
	total, taken      uint64 // memory, and what is not proclets' of it
	growth            uint64 // of taken, bytes a second
	processors        int
	other             float64 // processors that others use
	draining          bool
	proclets          []*resident
	sensor            *Sensor
	source            *Source
	cost              *Cost
	batch             []Candidate
	grant             Grant
	due               time.Duration // when the first of batch has moved
	moved             int
	bytes             uint64
	load              float64
	refusals, batches int

	changed            bool // what follows is to be added up anew
	bytesHere          uint64
	loadHere, variance float64
}

type resident struct {
	Candidate
	bytes uint64
	calls map[Machine]float64
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), policy: Default(), hosts: map[Machine]*host{}}
	w.leader = NewLeader(w.policy)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d\n%s", seed, strings.Join(w.trace[max(0, len(w.trace)-60):], "\n"))
		}
	})
	return w
}

func (w *world) add(total uint64, processors int) *host {
	h := &host{id: Machine(len(w.order) + 1), total: total, processors: processors,
		sensor: NewSensor(w.policy), source: NewSource(w.policy), cost: NewCost()}
	w.hosts[h.id] = h
	w.order = append(w.order, h)
	return h
}

// put makes n proclets on h.
func (w *world) put(h *host, n int, bytes uint64, load float64) {
	for range n {
		r := &resident{bytes: bytes}
		r.Candidate = Candidate{Key: Key{w.random.Uint64()}, Copy: bytes, Frees: bytes, Load: load, Since: -time.Hour}
		h.proclets = append(h.proclets, r)
	}
	h.changed = true
}

// addUp adds up what the proclets have and ask for, if that has changed.
func (h *host) addUp() {
	if !h.changed {
		return
	}
	h.changed, h.bytesHere, h.loadHere, h.variance = false, 0, 0, 0
	for _, r := range h.proclets {
		h.bytesHere += r.bytes
		h.loadHere += r.Load
		h.variance += r.Load * (1 - r.Load)
	}
}

func (h *host) used() uint64 {
	h.addUp()
	return h.taken + h.bytesHere
}

func (h *host) free() uint64 { return h.total - min(h.used(), h.total) }

func (h *host) demand() float64 {
	h.addUp()
	return h.other + h.loadHere
}

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%v ", w.now)+fmt.Sprintf(format, args...))
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	for end := w.now + d; w.now < end; w.now += time.Millisecond {
		for _, h := range w.order {
			w.sense(h)
			if w.now%(10*time.Millisecond) == 0 {
				w.leader.Report(w.now, h.id, h.sensor.State(), h.draining)
			}
		}
		for _, h := range w.order {
			w.act(h)
		}
		if w.now%(100*time.Millisecond) == 0 {
			for _, g := range w.leader.Even(w.now) {
				if h := w.hosts[g.From]; h.source.Order() {
					w.begin(h, g)
				} else {
					w.leader.Done(w.now, g.From, 0, 0)
				}
			}
		}
		w.check()
	}
}

func (w *world) sense(h *host) {
	h.taken += h.growth / 1000
	// At any moment a proclet that uses a tenth of a processor runs with a probability of a tenth.
	h.addUp()
	_, part := math.Modf(h.other)
	deviation := math.Sqrt(h.variance + part*(1-part))
	asked := int(max(math.Round(h.demand()+deviation*w.random.NormFloat64()), 0))
	running := min(asked, h.processors)
	for _, c := range h.sensor.Add(Sample{At: w.now, Free: h.free(), Total: h.total, Processors: h.processors, Running: running, Waiting: asked - running}) {
		w.changes++
		w.say("machine %d: %s", h.id, c)
	}
}

func (h *host) candidates() (all []Candidate) {
	for _, r := range h.proclets {
		c := r.Candidate
		c.Calls = r.calls[h.id]
		for m, part := range r.calls {
			if m != h.id && part > c.NearBy {
				c.Near, c.NearBy = m, part
			}
		}
		all = append(all, c)
	}
	return all
}

func (w *world) act(h *host) {
	if len(h.batch) > 0 {
		if w.now >= h.due {
			w.move(h)
		}
		return
	}
	st := h.sensor.State()
	kind, ok := h.source.Next(w.now, st, h.draining && len(h.proclets) > 0)
	if !ok {
		return
	}
	q, any := w.policy.Ask(w.now, h.id, kind, st, h.candidates())
	if !any {
		h.source.Refused(w.now)
		return
	}
	g := w.leader.Ask(w.now, q)
	w.say("machine %d asks for %v and gets %d: %s", h.id, kind, g.To, g.Reason)
	if g.To == 0 {
		h.refusals++
		h.source.Refused(w.now)
		return
	}
	w.begin(h, g)
}

func (w *world) begin(h *host, g Grant) {
	h.grant, h.moved, h.bytes, h.load = g, 0, 0, 0
	h.batch = w.policy.Pick(w.now, g, h.candidates(), h.cost)
	w.say("machine %d moves %d of %d proclets to %d (%v): %s", h.id, len(h.batch), len(h.proclets), g.To, g.Kind, g.Reason)
	h.batches++
	w.next(h)
}

// next begins the next move of a batch, or ends it.
func (w *world) next(h *host) {
	if len(h.batch) > 0 {
		h.due = w.now + time.Duration(h.cost.Microseconds(h.batch[0].Copy))*time.Microsecond
		return
	}
	w.leader.Done(w.now, h.id, h.bytes, h.load)
	h.source.Finished(w.now, h.grant.Kind, h.moved)
}

func (w *world) move(h *host) {
	c, to := h.batch[0], w.hosts[h.grant.To]
	if to.sensor.State().Memory || to.free() < c.Frees {
		h.batch = nil
		w.say("machine %d refuses", to.id)
		w.leader.Refused(w.now, h.id, h.bytes, h.load)
		h.source.Finished(w.now, h.grant.Kind, h.moved)
		return
	}
	h.batch = h.batch[1:]
	for i, r := range h.proclets {
		if r.Key == c.Key {
			h.proclets = append(h.proclets[:i:i], h.proclets[i+1:]...)
			r.Since = w.now
			to.proclets = append(to.proclets, r)
			h.changed, to.changed = true, true
		}
	}
	h.moved++
	h.bytes += c.Frees
	h.load += c.Load
	w.moves++
	w.last = w.now
	w.next(h)
}

// check is what has to hold at every moment.
func (w *world) check() {
	for _, h := range w.order {
		if len(h.batch) == 0 {
			continue
		}
		if to := w.hosts[h.grant.To]; len(to.batch) > 0 {
			w.t.Fatalf("%v: machine %d gives to machine %d, which gives to %d", w.now, h.id, to.id, to.grant.To)
		}
	}
}

// settled runs until nothing has moved for a while, and fails if that takes too long.
func (w *world) settled(within time.Duration) {
	w.t.Helper()
	const calm = 3 * time.Second
	start := w.now
	for w.now-max(w.last, start) < calm {
		w.run(100 * time.Millisecond)
		if w.now-start > within+calm {
			w.t.Fatalf("%d moves, and no end after %v", w.moves, w.now-start)
		}
	}
}
