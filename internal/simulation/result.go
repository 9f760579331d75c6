package simulation

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run has shown.
type Result struct {
	Moves, Lost, Refusals, RefusedMoves, Drained int
	Bytes                                        uint64 // that were moved
	Leaders                                      int

	Used    float64 // of all processors, on average
	Missing float64 // the part of what was asked for that there was no processor for
	Full    float64 // the part of the time in which a machine had no memory left
	// Static is how many processors there would have to be if each application had whole machines of its
	// own for its highest load.
	Static     int
	StaticUsed float64

	// Relief is how long machines were under pressure, in microseconds, each time.
	Relief *hdrhistogram.Histogram

	asked, served float64
	full, steps   int
}

func (r *Result) init() {
	r.Relief = hdrhistogram.New(1, time.Hour.Microseconds(), 3)
}

func (r *Result) demand(asked, served float64, full bool) {
	r.asked += asked
	r.served += served
	r.steps++
	if full {
		r.full++
	}
}

func (r *Result) relieved(after time.Duration) {
	r.Relief.RecordValue(after.Microseconds()) // within an hour
}

func (r *Result) finish(w *world) *Result {
	c := &w.config
	r.Leaders = w.reign
	r.Used = r.served / float64(r.steps*c.Processors)
	r.Missing = 1 - r.served/r.asked
	r.Full = float64(r.full) / float64(r.steps)
	for _, peak := range w.peaks {
		machines := 1 + int(peak/float64(c.Processors))
		r.Static += machines * c.Processors
	}
	r.StaticUsed = r.asked / float64(r.steps) * float64(c.Machines) / float64(r.Static)
	return r
}
