package tor

import "sync/atomic"

// Stats counts the frames of one port since it was added. Rx is what the peer
// sent, Tx what was queued for it.
//
// Every frame is accounted for. Over all ports (Switch.Totals), when no frame
// is on its way,
//
//	RxFrames + Injected + Duplicated + Flooded ==
//	TxFrames + Lost + Dropped + Partitioned + Filtered
type Stats struct {
	RxFrames, RxBytes uint64
	TxFrames, TxBytes uint64

	Bad         uint64 // from the peer, shorter than a header or longer than MaxFrame; not in RxFrames
	Dropped     uint64 // for the peer, when nothing was plugged in or it had stopped taking frames
	Refused     uint64 // of TxFrames, what the peer's device had no running queue or no room for
	Injected    uint64 // by Inject
	Flooded     uint64 // copies made of the peer's frames for more than one receiver
	Filtered    uint64 // from the peer, to itself or when nobody else was there
	Partitioned uint64 // for the peer, from another group

	// By Faults, in both directions.
	Lost, Duplicated, Corrupted, Reordered, Delayed uint64
}

// counters are Stats that are counted, field by field.
type counters struct {
	RxFrames, RxBytes, TxFrames, TxBytes            atomic.Uint64
	Bad, Dropped, Refused, Injected, Flooded        atomic.Uint64
	Filtered, Partitioned                           atomic.Uint64
	Lost, Duplicated, Corrupted, Reordered, Delayed atomic.Uint64
}

// addTo adds the counters to s.
func (c *counters) addTo(s *Stats) {
	s.RxFrames += c.RxFrames.Load()
	s.RxBytes += c.RxBytes.Load()
	s.TxFrames += c.TxFrames.Load()
	s.TxBytes += c.TxBytes.Load()
	s.Bad += c.Bad.Load()
	s.Dropped += c.Dropped.Load()
	s.Refused += c.Refused.Load()
	s.Injected += c.Injected.Load()
	s.Flooded += c.Flooded.Load()
	s.Filtered += c.Filtered.Load()
	s.Partitioned += c.Partitioned.Load()
	s.Lost += c.Lost.Load()
	s.Duplicated += c.Duplicated.Load()
	s.Corrupted += c.Corrupted.Load()
	s.Reordered += c.Reordered.Load()
	s.Delayed += c.Delayed.Load()
}

// Stats returns the counters. They are read one by one while frames flow.
func (p *Port) Stats() (s Stats) {
	p.count.addTo(&s)
	return s
}

// Totals returns the sum over all ports, those that were removed included.
func (sw *Switch) Totals() Stats {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	var s Stats
	for _, p := range sw.removed {
		p.count.addTo(&s)
	}
	for _, p := range *sw.plugged.Load() {
		p.count.addTo(&s)
	}
	return s
}
