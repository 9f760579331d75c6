package migrate

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"syscall"
	"time"

	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// Overview is what a machine has done since it started, and what it has now: what one
// needs to watch a rack, in one answer. Rates come from two of them, of different times.
type Overview struct {
	Rack       string         `json:"rack"`
	Machine    rack.MachineID `json:"machine"`
	Uptime     time.Duration  `json:"uptime"` // when this was true
	Processors int            `json:"processors"`
	Worked     time.Duration  `json:"worked"` // time of processors that was used, polling included
	Frames     mm.Usage       `json:"frames"`
	Short      Shortage       `json:"short"` // under pressure of what; see OnOverview

	Proclets  int            `json:"proclets"`
	Pinned    int            `json:"pinned"`
	Mapped    uint64         `json:"mapped"`    // bytes that heaps have taken
	Used      uint64         `json:"used"`      // bytes that are allocated in them
	Busy      float64        `json:"busy"`      // processors that they use, lately
	Calls     uint64         `json:"calls"`     // of proclets, executed here
	Latencies rack.Latencies `json:"latencies"` // of calls from here to other machines

	Made    uint64        `json:"made"`    // proclets that left
	Arrived uint64        `json:"arrived"` // proclets that came
	GivenUp uint64        `json:"given_up"`
	Lost    uint64        `json:"lost"`
	Sent    uint64        `json:"sent"` // bytes of those that left
	P50     time.Duration `json:"p50"`  // of Report.Pause
	P99     time.Duration `json:"p99"`

	// Top are some of the proclets, those with most of what was asked for.
	Top []proclet.Info `json:"top,omitempty"`
}

// Shortage is what a machine is under pressure of.
type Shortage struct {
	Memory    bool `json:"memory,omitempty"`
	Processor bool `json:"processor,omitempty"`
}

// String names what there is pressure of; "" if there is none.
func (s Shortage) String() string {
	switch {
	case s.Memory && s.Processor:
		return "memory, processor"
	case s.Memory:
		return "memory"
	case s.Processor:
		return "processor"
	}
	return ""
}

// By says which proclets an Overview is to show.
type By string

const (
	ByLoad   By = "load"   // processors that they use
	ByMemory By = "memory" // that their heaps have taken
	ByCalls  By = "calls"  // that they have had
)

// Compare orders proclets: first those that have most; then by their IDs. Another By than those
// above orders them by load.
func (by By) Compare(a, b proclet.Info) int {
	order := 0
	switch by {
	case ByMemory:
		order = cmp.Compare(b.Mapped, a.Mapped)
	case ByCalls:
		order = cmp.Compare(b.Calls, a.Calls)
	default:
		order = cmp.Compare(b.Processors, a.Processors)
	}
	return cmp.Or(order, cmp.Compare(a.ID, b.ID))
}

// OnOverview has f called to complete every Overview. It replaces the one before.
func (m *Migrator) OnOverview(f func(*Overview)) { m.complete.Store(&f) }

// Overview returns that of this machine, with at most top of its proclets. The Migrator is
// one that Serve has made.
func (m *Migrator) Overview(top int, by By) Overview {
	o := m.overview(top, by)
	if f := m.complete.Load(); f != nil {
		(*f)(&o)
	}
	return o
}

// overviewOf is Overview for what Serve knows.
func (m *Migrator) overviewOf(r *rack.Rack, rt *proclet.Runtime, top int, by By) Overview {
	status, stats := r.Status(), m.Stats()
	o := Overview{
		Rack: status.Name, Machine: status.Self, Uptime: status.Uptime, Processors: runtime.GOMAXPROCS(0), Worked: worked(), Frames: stats.Frames,
		Busy: rt.Busy(), Calls: rt.Calls(), Latencies: status.Latencies,
		Made: stats.Made, Arrived: stats.Arrived, GivenUp: stats.GivenUp, Lost: stats.Lost, Sent: stats.Bytes,
		P50: stats.PauseP50, P99: stats.PauseP99,
	}
	all := rt.Proclets()
	for _, p := range all {
		o.Proclets++
		o.Mapped += p.Mapped
		o.Used += p.Used
		if p.Pinned {
			o.Pinned++
		}
	}
	slices.SortFunc(all, by.Compare)
	o.Top = all[:min(max(top, 0), len(all))]
	return o
}

// worked returns how much time of processors the program has used.
func worked() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// AskOverview returns a machine's Overview. r may be an observer.
func AskOverview(ctx context.Context, r *rack.Rack, machine rack.MachineID, top int, by By) (Overview, error) {
	out, err := ask(ctx, r, machine, order{Overview: true, Top: top, By: by})
	if err != nil {
		return Overview{}, err
	}
	if out.Overview == nil {
		return Overview{}, ErrMessage
	}
	return *out.Overview, nil
}
