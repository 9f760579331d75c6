package watch

import (
	"slices"
	"time"

	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// Rates are what has happened between two samples, and what there was at the second. What is
// said of a second is Unknown if a machine has not answered before.
type Rates struct {
	Rack     string
	At       time.Time
	By       migrate.By
	Machines []MachineRates
	Proclets []ProcletRates // of all machines, those first that have most

	// Of the rack: of those machines of which it is known.
	Count     int     // of proclets
	Calls     float64 // executed, a second
	Moves     float64 // proclets that left, a second
	Sent      float64 // their bytes
	Latencies rack.Latencies
	Lost      uint64 // since the machines started
	GivenUp   uint64
	Answered  int // machines that have
}

// MachineRates is a machine.
type MachineRates struct {
	Machine
	Memory    float64 // share of it that is in use
	Worked    float64 // processors
	Calls     float64 // executed, a second
	Out, In   float64 // proclets a second
	Latencies rack.Latencies
}

// ProcletRates is a proclet.
type ProcletRates struct {
	proclet.Info
	Machine rack.MachineID
	Rate    float64 // of calls, a second
}

// Unknown is a rate that is not known.
const Unknown = -1

// Between compares two samples. What a machine has not said before is not known.
func Between(before, now Sample, by migrate.By) *Rates {
	r := &Rates{At: now.At}
	earlier := map[rack.MachineID]*migrate.Overview{}
	calls := map[string]uint64{} // of proclets
	for i := range before.Machines {
		if m := &before.Machines[i]; m.Err == nil {
			earlier[m.Member.ID] = &m.Overview
			for _, p := range m.Overview.Top {
				calls[p.ID] = p.Calls
			}
		}
	}
	for _, m := range now.Machines {
		row := ratesOf(m, earlier[m.Member.ID])
		r.Machines = append(r.Machines, row)
		if m.Err != nil {
			continue
		}
		r.Answered++
		r.Rack = m.Overview.Rack
		r.Count += m.Overview.Proclets
		r.Lost += m.Overview.Lost
		r.GivenUp += m.Overview.GivenUp
		if e := earlier[m.Member.ID]; row.Calls != Unknown {
			r.Calls += row.Calls
			r.Moves += row.Out
			r.Sent += rate(e.Sent, m.Overview.Sent, m.Overview.Uptime-e.Uptime)
			for b, n := range row.Latencies.Buckets {
				r.Latencies.Buckets[b] += n
			}
			r.Latencies.Sum += row.Latencies.Sum
		}
		for _, p := range m.Overview.Top {
			row := ProcletRates{p, m.Member.ID, Unknown}
			if n, known := calls[p.ID]; known {
				row.Rate = rate(n, p.Calls, now.At.Sub(before.At))
			}
			r.Proclets = append(r.Proclets, row)
		}
	}
	r.Arrange(by) // a proclet that has moved between two answers may be in both, or in none
	return r
}

// Arrange orders the proclets.
func (r *Rates) Arrange(by migrate.By) {
	r.By = by
	slices.SortFunc(r.Proclets, func(a, b ProcletRates) int { return by.Compare(a.Info, b.Info) })
}

func ratesOf(m Machine, e *migrate.Overview) MachineRates {
	row := MachineRates{Machine: m, Worked: Unknown, Calls: Unknown, Out: Unknown, In: Unknown}
	o := &m.Overview
	if m.Err != nil {
		return row
	}
	row.Memory = float64(o.Frames.Total-o.Frames.Free) / float64(max(o.Frames.Total, 1))
	if e == nil || o.Uptime <= e.Uptime {
		return row
	}
	passed := o.Uptime - e.Uptime
	row.Worked = float64(o.Worked-e.Worked) / float64(passed)
	row.Calls = rate(e.Calls, o.Calls, passed)
	row.Out, row.In = rate(e.Made, o.Made, passed), rate(e.Arrived, o.Arrived, passed)
	row.Latencies = o.Latencies.Since(&e.Latencies)
	return row
}

// rate is by how much a counter has grown in a second.
func rate(before, now uint64, passed time.Duration) float64 {
	if passed <= 0 || now < before {
		return 0
	}
	return float64(now-before) / passed.Seconds()
}

// Total is the memory of a machine in bytes.
func (m *MachineRates) Total() uint64 { return m.Overview.Frames.Total * mm.PageSize }
