package migrate

import (
	"fmt"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"nuos/mm"
)

// Stats counts the moves of a machine since it started.
type Stats struct {
	Made    uint64 `json:"made"`     // proclets that left
	Arrived uint64 `json:"arrived"`  // proclets that came
	GivenUp uint64 `json:"given_up"` // moves undone; the proclet stayed
	Lost    uint64 `json:"lost"`     // proclets whose destination died with them
	Bytes   uint64 `json:"bytes"`    // sent by the moves made

	Precopied uint64 `json:"precopied"`           // of the moves made, those that copied while the proclet ran
	Rounds    uint64 `json:"rounds"`              // in which these did
	Again     uint64 `json:"again"`               // of Bytes, what was sent more than once
	Unwatched string `json:"unwatched,omitempty"` // why the machine cannot do so, when it should have

	// PauseP50 and PauseP99 are quantiles of Report.Pause.
	PauseP50 time.Duration `json:"pause_p50"`
	PauseP99 time.Duration `json:"pause_p99"`

	// Phases says where the time of moves from and to this machine went.
	Phases []PhaseStats `json:"phases,omitempty"`

	// Frames is the machine's memory now. Heaps counts also the frames of
	// proclets that are arriving, and of those that have left and are being
	// cleared away.
	Frames mm.Usage `json:"frames"`
}

// newPauses makes a histogram of pauses in nanoseconds, to three digits.
func newPauses() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longestPhase.Nanoseconds(), 3)
}

// Stats returns the counters.
func (m *Migrator) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Frames = mm.Frames()
	s.Phases = m.took.stats()
	s.PauseP50 = time.Duration(m.pauses.ValueAtQuantile(50))
	s.PauseP99 = time.Duration(m.pauses.ValueAtQuantile(99))
	return s
}

// Times returns histograms, in nanoseconds, of Report.Pause, and of the phases of moves that
// there were, by name. They are the caller's.
func (m *Migrator) Times() (pauses *hdrhistogram.Histogram, phases map[string]*hdrhistogram.Histogram) {
	m.mu.Lock()
	pauses = duplicate(m.pauses)
	m.mu.Unlock()
	return pauses, m.took.histograms()
}

func duplicate(h *hdrhistogram.Histogram) *hdrhistogram.Histogram {
	return hdrhistogram.Import(h.Export())
}

func (m *Migrator) count(f func(*Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.stats)
}

func (m *Migrator) made(r Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Made++
	m.stats.Bytes += r.Bytes
	m.stats.Rounds += r.Rounds
	m.stats.Again += r.Again
	if r.Rounds > 0 {
		m.stats.Precopied++
	}
	m.pauses.RecordValue(min(max(r.Pause, 1), longestPhase).Nanoseconds())
}

func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "migrate: "+format+"\n", args...)
}
