package main

import (
	"slices"
	"time"

	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// topRates is what has happened between two samples, and what there was at the second.
type topRates struct {
	rack     string
	at       time.Time
	by       migrate.By
	machines []machineRates
	proclets []procletRates // of all machines, those first that have most

	// Of the rack.
	count          int // of proclets
	calls          float64
	moves, sent    float64 // proclets and bytes that left, a second
	latencies      rack.Latencies
	lost, givenUp  uint64 // since the machines started
	answered, size int    // machines that did, of how many
}

// machineRates is a machine. Rates are negative if they are not known: there was no answer
// before.
type machineRates struct {
	topMachine
	memory    float64 // share of it that is in use
	worked    float64 // processors
	calls     float64 // executed, a second
	out, in   float64 // proclets a second
	latencies rack.Latencies
}

// procletRates is a proclet.
type procletRates struct {
	proclet.Info
	machine rack.MachineID
	calls   float64 // a second; negative if not known
}

const unknown = -1

// ratesBetween compares two samples. What a machine has not said before is not known.
func ratesBetween(before, now topSample, by migrate.By) *topRates {
	r := &topRates{at: now.at, size: len(now.machines)}
	earlier := map[rack.MachineID]*migrate.Overview{}
	calls := map[string]uint64{} // of proclets
	for i := range before.machines {
		if m := &before.machines[i]; m.err == nil {
			earlier[m.member.ID] = &m.overview
			for _, p := range m.overview.Top {
				calls[p.ID] = p.Calls
			}
		}
	}
	for _, m := range now.machines {
		row := ratesOf(m, earlier[m.member.ID])
		r.machines = append(r.machines, row)
		if m.err != nil {
			continue
		}
		r.answered++
		r.rack = m.overview.Rack
		r.count += m.overview.Proclets
		r.lost += m.overview.Lost
		r.givenUp += m.overview.GivenUp
		if e := earlier[m.member.ID]; row.calls != unknown {
			r.calls += row.calls
			r.moves += row.out
			r.sent += rate(e.Sent, m.overview.Sent, m.overview.Uptime-e.Uptime)
			for b, n := range row.latencies.Buckets {
				r.latencies.Buckets[b] += n
			}
		}
		for _, p := range m.overview.Top {
			row := procletRates{p, m.member.ID, unknown}
			if n, known := calls[p.ID]; known {
				row.calls = rate(n, p.Calls, now.at.Sub(before.at))
			}
			r.proclets = append(r.proclets, row)
		}
	}
	r.arrange(by) // a proclet that has moved between two answers may be in both, or in none
	return r
}

// arrange orders the proclets.
func (r *topRates) arrange(by migrate.By) {
	r.by = by
	slices.SortFunc(r.proclets, func(a, b procletRates) int { return by.Compare(a.Info, b.Info) })
}

func ratesOf(m topMachine, e *migrate.Overview) machineRates {
	row := machineRates{topMachine: m, worked: unknown, calls: unknown, out: unknown, in: unknown}
	o := &m.overview
	if m.err != nil {
		return row
	}
	row.memory = float64(o.Frames.Total-o.Frames.Free) / float64(max(o.Frames.Total, 1))
	if e == nil || o.Uptime <= e.Uptime {
		return row
	}
	passed := o.Uptime - e.Uptime
	row.worked = float64(o.Worked-e.Worked) / float64(passed)
	row.calls = rate(e.Calls, o.Calls, passed)
	row.out, row.in = rate(e.Made, o.Made, passed), rate(e.Arrived, o.Arrived, passed)
	row.latencies = o.Latencies.Since(&e.Latencies)
	return row
}

// rate is by how much a counter has grown in a second.
func rate(before, now uint64, passed time.Duration) float64 {
	if passed <= 0 || now < before {
		return 0
	}
	return float64(now-before) / passed.Seconds()
}

// total is the memory of a machine in bytes.
func (m *machineRates) total() uint64 { return m.overview.Frames.Total * mm.PageSize }
