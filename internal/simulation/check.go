package simulation

import (
	"fmt"
	"strings"
	"time"

	"nuos/rack/placement"
)

// Broken is an invariant that did not hold.
type Broken struct {
	Seed  uint64
	At    time.Duration
	What  string
	Trace []string // the last events
}

func (b *Broken) Error() string {
	return fmt.Sprintf("simulation: seed %d, after %v: %s", b.Seed, b.At, b.What)
}

// History writes what happened before.
func (b *Broken) History() string { return strings.Join(b.Trace, "\n") }

func (w *world) fail(format string, args ...any) {
	if w.broken == nil {
		w.broken = &Broken{w.config.Seed, w.now, fmt.Sprintf(format, args...), w.trace[max(0, len(w.trace)-traced):]}
	}
}

// checkGrant looks at a grant that m begins to use. Who was giving to a machine that has died may not know
// yet that this is over; the leader does.
func (w *world) checkGrant(m *machine) {
	g := m.give
	if other := g.to.give; other != nil && other.reign == g.reign && w.now < other.until && !other.to.dead {
		w.fail("machine %d is to give to machine %d, which gives to machine %d", m.id, g.to.id, other.to.id)
	}
	if m.takes > 0 {
		for _, o := range w.machines {
			if o.give != nil && o.give.to == m && o.give.reign == g.reign && w.now < o.give.until {
				w.fail("machine %d gives to machine %d, and machine %d to it", m.id, g.to.id, o.id)
			}
		}
	}
	var bytes uint64
	load := 0.
	for _, c := range g.batch {
		bytes += c.Frees
		load += c.Load
	}
	if bytes > g.grant.Bytes {
		w.fail("machine %d moves %d bytes with a grant of %d", m.id, bytes, g.grant.Bytes)
	}
	if k := g.grant.Kind; load > g.grant.Load+1e-6 && (k == placement.Processor || k == placement.Evening) {
		w.fail("machine %d moves a load of %g with a grant of %g", m.id, load, g.grant.Load)
	}
}

// checkMove looks at a move that is about to be done.
func (w *world) checkMove(m *machine, p *proclet, c placement.Candidate) {
	if p.at != m {
		w.fail("machine %d moves proclet %d, which is not there", m.id, c.Key)
	}
	if since := w.now - p.since; since < w.policy.Residence && m.give.grant.Kind != placement.Draining && !m.sensor.State().Memory {
		w.fail("proclet %d moves on %v after it came to machine %d", c.Key, since, m.id)
	}
}

// checkAll looks at everything.
func (w *world) checkAll() {
	n := 0
	takes := map[*machine]int{}
	for _, m := range w.machines {
		if m.dead && len(m.proclets) > 0 {
			w.fail("machine %d is dead and has %d proclets", m.id, len(m.proclets))
		}
		for i, p := range m.proclets {
			if p.at != m || p.place != i || w.proclets[p.key] != p {
				w.fail("proclet %d is at place %d of machine %d, and is not", p.key, i, m.id)
			}
		}
		n += len(m.proclets)
		if m.give != nil && m.give.to != nil {
			takes[m.give.to]++
		}
	}
	if n != len(w.proclets) {
		w.fail("%d proclets are on machines, and there are %d", n, len(w.proclets))
	}
	for _, m := range w.machines {
		if m.takes != takes[m] {
			w.fail("machine %d takes from %d machines, and %d give to it", m.id, m.takes, takes[m])
		}
	}
}
