package migrate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// The timeline of moves: each machine remembers the phases of its last moves, and whoever wants
// to see them puts those of several machines together.

// Span is one phase of one move on one machine.
type Span struct {
	Phase   string        `json:"phase"`
	Proclet string        `json:"proclet"`
	Begin   time.Time     `json:"begin"` // by the machine's clock
	Took    time.Duration `json:"took"`
	Bytes   uint64        `json:"bytes,omitempty"` // sent
}

// Timeline is what a machine remembers.
type Timeline struct {
	Machine rack.MachineID `json:"machine"`
	Now     time.Time      `json:"now"` // by the machine's clock
	Spans   []Span         `json:"spans"`
}

// rememberedSpans is how many spans a machine keeps: those of some two hundred moves.
const rememberedSpans = 1024

// spanLog keeps the last spans.
type spanLog struct {
	mu    sync.Mutex
	spans [rememberedSpans]span
	n     uint64 // recorded so far
	taken uint64 // of those, take has returned
}

type span struct {
	phase phase
	id    proclet.ID
	begin time.Time
	took  time.Duration
	bytes uint64
}

// add returns how many there are that were not taken. If that is all that are remembered it has
// added nothing, and reports false.
func (l *spanLog) add(s span) (left uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n-l.taken == rememberedSpans {
		return rememberedSpans, false
	}
	l.spans[l.n%rememberedSpans] = s
	l.n++
	return l.n - l.taken, true
}

// take returns those that it has not returned before.
func (l *spanLog) take() (all []span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; l.taken < l.n; l.taken++ {
		all = append(all, l.spans[l.taken%rememberedSpans])
	}
	return all
}

// list returns the spans in the order in which they ended.
func (l *spanLog) list() []Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Span
	for n := l.n - min(l.n, rememberedSpans); n < l.n; n++ {
		s := &l.spans[n%rememberedSpans]
		all = append(all, Span{phaseNames[s.phase], s.id.String(), s.begin.Round(0), s.took, s.bytes})
	}
	return all
}

// clockTrips is how often a machine is asked for the time on its clock.
const clockTrips = 5

// AskTimeline returns what a machine remembers of its last moves, with the times that the asker's
// clock showed then: as exactly as half a round trip, the quickest of several. r may be an
// observer.
func AskTimeline(ctx context.Context, r *rack.Rack, machine rack.MachineID) (*Timeline, error) {
	var t *Timeline
	var ahead, quickest time.Duration // of the machine's clock; the round trip that says so
	for trip := range clockTrips {
		asked := time.Now()
		out, err := ask(ctx, r, machine, order{Timeline: true})
		took := time.Since(asked)
		if err != nil {
			return nil, err
		}
		if t = out.Timeline; t == nil {
			return nil, ErrMessage
		}
		if trip == 0 || took < quickest {
			quickest, ahead = took, t.Now.Sub(asked.Add(took/2).Round(0))
		}
	}
	t.Now = t.Now.Add(-ahead)
	for i := range t.Spans {
		t.Spans[i].Begin = t.Spans[i].Begin.Add(-ahead)
	}
	return t, nil
}

// traceEvent is an event of the Trace Event Format, which Perfetto and Chrome read: "X" has a
// beginning and a duration in microseconds, "M" gives a process its name.
type traceEvent struct {
	Name    string         `json:"name"`
	Kind    string         `json:"ph"`
	Process uint32         `json:"pid"`
	Thread  int            `json:"tid"`
	Begin   float64        `json:"ts"`
	Took    float64        `json:"dur,omitempty"`
	Args    map[string]any `json:"args,omitempty"`
}

// WriteTimeline writes timelines of machines, times by one clock, as JSON in the Trace Event
// Format: a process for each machine, a thread for each proclet. Times count from the first span.
func WriteTimeline(w io.Writer, machines []*Timeline) error {
	var all []traceEvent
	var first time.Time
	for _, m := range machines {
		for _, s := range m.Spans {
			if first.IsZero() || s.Begin.Before(first) {
				first = s.Begin
			}
		}
	}
	microseconds := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	threads := map[string]int{}
	for _, m := range machines {
		process := uint32(m.Machine)
		all = append(all, traceEvent{Name: "process_name", Kind: "M", Process: process,
			Args: map[string]any{"name": fmt.Sprint("machine ", m.Machine)}})
		spans := slices.SortedFunc(slices.Values(m.Spans), func(a, b Span) int {
			return cmp.Or(a.Begin.Compare(b.Begin), cmp.Compare(b.Took, a.Took))
		})
		for _, s := range spans {
			thread, known := threads[s.Proclet]
			if !known {
				thread = len(threads) + 1
				threads[s.Proclet] = thread
			}
			args := map[string]any{"proclet": s.Proclet}
			if s.Bytes > 0 {
				args["bytes"] = s.Bytes
			}
			all = append(all, traceEvent{Name: s.Phase, Kind: "X", Process: process, Thread: thread,
				Begin: microseconds(s.Begin.Sub(first)), Took: microseconds(s.Took), Args: args})
		}
	}
	return json.NewEncoder(w).Encode(struct {
		Events []traceEvent `json:"traceEvents"`
		Unit   string       `json:"displayTimeUnit"`
	}{all, "ns"})
}
