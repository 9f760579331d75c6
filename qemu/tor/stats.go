package tor

import "sync/atomic"

// Stats counts the frames of one port since it was added. Rx is what the peer
// sent, Tx what was queued for it. Every frame that the peer sent was Bad,
// was Lost on the way in, or was forwarded; every frame for it was Lost,
// Partitioned, Dropped or is in TxFrames.
type Stats struct {
	RxFrames, RxBytes uint64
	TxFrames, TxBytes uint64

	Bad         uint64 // shorter than a header, longer than MaxFrame, or refused by the peer's device
	Dropped     uint64 // nothing plugged in, or the peer had stopped taking frames
	Lost        uint64 // by Faults.Loss or Faults.Down, both directions
	Duplicated  uint64
	Corrupted   uint64
	Reordered   uint64
	Delayed     uint64
	Partitioned uint64
}

type counters struct {
	RxFrames, RxBytes, TxFrames, TxBytes atomic.Uint64
	Bad, Dropped                         atomic.Uint64
	Lost, Duplicated, Corrupted          atomic.Uint64
	Reordered, Delayed, Partitioned      atomic.Uint64
}

// Stats returns the counters. They are read one by one while frames flow.
func (p *Port) Stats() Stats {
	c := &p.count
	return Stats{
		RxFrames: c.RxFrames.Load(), RxBytes: c.RxBytes.Load(),
		TxFrames: c.TxFrames.Load(), TxBytes: c.TxBytes.Load(),
		Bad: c.Bad.Load(), Dropped: c.Dropped.Load(),
		Lost: c.Lost.Load(), Duplicated: c.Duplicated.Load(), Corrupted: c.Corrupted.Load(),
		Reordered: c.Reordered.Load(), Delayed: c.Delayed.Load(), Partitioned: c.Partitioned.Load(),
	}
}
