package migrate

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"nuos/proclet"
)

// phase is a part of a move, as one of its two machines sees it.
type phase int

// The phases of a move in the order in which they begin. Those of the destination are
// within sending and committing of the source.
const (
	phaseCopy     phase = iota // source: a round of copying while the proclet runs
	phaseClose                 // source: closing the gate, freezing the threads inside
	phaseDescribe              // source: finding out what to send
	phaseSend                  // source: from the announcement to the destination being prepared
	phaseMap                   // destination: memory for the bytes
	phaseReceive               // destination: the bytes
	phaseVerify                // destination: whether they are sound
	phaseCommit                // source: from the decision to its acknowledgement
	phaseAdopt                 // destination: making it run
	phaseClear                 // source: giving its memory back, when it runs elsewhere
	phases
)

var phaseNames = [phases]string{
	"copy", "close", "describe", "send", "map", "receive", "verify", "commit", "adopt", "clear",
}

// PhaseStats says how long a phase of moves took on a machine, for those that it came to its
// end in.
type PhaseStats struct {
	Phase string        `json:"phase"`
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50"`
	P99   time.Duration `json:"p99"`
	Max   time.Duration `json:"max"`
}

// phaseTimes are histograms of how long each phase took, in nanoseconds to two digits, and the last
// phases themselves. What has been logged gets into the histograms later, by the hundred: they
// are in no cache when a move has just been made, which would take as long as a tenth of a small one.
type phaseTimes struct {
	last spanLog

	mu    sync.Mutex
	times [phases]*hdrhistogram.Histogram // nil: none so far
}

const longestPhase = time.Hour

// since records that a phase of a proclet's move that began at start is over, and returns the time.
func (p *phaseTimes) since(ph phase, id proclet.ID, start time.Time) time.Time {
	return p.sent(ph, id, start, 0)
}

// sent is since for a phase in which so many bytes were sent.
func (p *phaseTimes) sent(ph phase, id proclet.ID, start time.Time, bytes uint64) time.Time {
	now := time.Now()
	s := span{ph, id, start, now.Sub(start), bytes}
	left, ok := p.last.add(s)
	for ; !ok; left, ok = p.last.add(s) {
		p.fold()
	}
	if left == rememberedSpans/2 {
		go p.fold()
	}
	return now
}

// fold brings the histograms up to date.
func (p *phaseTimes) fold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.last.take() {
		if p.times[s.phase] == nil {
			p.times[s.phase] = hdrhistogram.New(1, longestPhase.Nanoseconds(), 2)
		}
		p.times[s.phase].RecordValue(min(max(s.took, 1), longestPhase).Nanoseconds())
	}
}

// stats lists the phases that there were.
func (p *phaseTimes) stats() (all []PhaseStats) {
	p.fold()
	p.mu.Lock()
	defer p.mu.Unlock()
	for ph, h := range p.times {
		if h != nil {
			all = append(all, PhaseStats{
				Phase: phaseNames[ph], Count: h.TotalCount(),
				P50: time.Duration(h.ValueAtQuantile(50)), P99: time.Duration(h.ValueAtQuantile(99)), Max: time.Duration(h.Max()),
			})
		}
	}
	return all
}

// histograms returns a copy of the histograms that there are, by the phases' names.
func (p *phaseTimes) histograms() map[string]*hdrhistogram.Histogram {
	p.fold()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]*hdrhistogram.Histogram{}
	for ph, h := range p.times {
		if h != nil {
			all[phaseNames[ph]] = duplicate(h)
		}
	}
	return all
}
