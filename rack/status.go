package rack

import "time"

// PeerStats counts what passed between this machine and one other.
type PeerStats struct {
	FramesIn, FramesOut uint64
	BytesIn, BytesOut   uint64 // whole frames; without the pieces of bulk sent
	Repeated            uint64 // packets and pieces sent again
	Duplicates          uint64 // that arrived again
	CallsIn, CallsOut   uint64
	BulkIn, BulkOut     uint64 // transfers
	BulkBytesIn         uint64
	RTT                 time.Duration // smoothed; 0: not measured
}
