package placement

import "time"

// Machine is an incarnation of a machine. 0 is none.
type Machine uint32

// Policy is what decisions go by.
type Policy struct {
	// Memory. The watermark is a fraction of a machine's memory, within bounds. There is
	// pressure when less is free, or would be after Horizon as fast as it falls now, and
	// until a quarter more is free.
	WatermarkShare             float64
	WatermarkLow, WatermarkTop uint64
	Horizon                    time.Duration

	// Processors. There is pressure when threads have waited for a processor at every look for
	// as long as Congested.
	Congested time.Duration

	// MinSpare is how many processors a machine must have to spare to be a destination, and
	// how many may be missing when what moves asks for a whole one.
	MinSpare, Slack float64

	// Reserve is what a destination keeps free beyond the watermark, in watermarks.
	Reserve float64

	// Affinity is how much of a machine's room it is worth that all calls come from there.
	Affinity float64

	// Even is the difference between machines, as a share of what they have, from which on they are
	// evened out if the fuller one uses as much as Full, at Looks in a row.
	Even, Full float64
	Looks      int

	Residence time.Duration // how long a proclet stays at least where it has arrived
	Settle    time.Duration // until a machine's report says what a move has changed
	Lease     time.Duration // after which a grant ends of which nothing has been heard
	Stale     time.Duration // after which a report is no basis for a decision
	Batch     int           // proclets that move with one grant
}

// Default is the policy of a rack.
func Default() Policy {
	return Policy{
		WatermarkShare: 1. / 16, WatermarkLow: 4 << 20, WatermarkTop: 1 << 30, Horizon: 50 * time.Millisecond,
		Congested: 5 * time.Millisecond,
		MinSpare:  .25, Slack: .1,
		Reserve:  1,
		Affinity: .5,
		Even:     .25, Full: .5, Looks: 3,
		Residence: 200 * time.Millisecond,
		Settle:    200 * time.Millisecond,
		Lease:     2 * time.Second,
		Stale:     time.Second,
		Batch:     64,
	}
}

// Watermark is how many bytes of a machine's memory are to be free.
func (p *Policy) Watermark(total uint64) uint64 {
	w := uint64(float64(total) * p.WatermarkShare)
	return min(max(w, p.WatermarkLow), p.WatermarkTop, total/4)
}

// Kind says what a move is for.
type Kind uint8

const (
	Memory    Kind = 1 + iota // the source runs out of memory
	Processor                 // threads wait for the source's processors
	Evening                   // another machine has much more room
	Draining                  // the source is to be empty
)

var kindNames = [...]string{"none", "memory", "processor", "evening", "draining"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}
