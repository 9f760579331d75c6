package nic

import "nuos/mm"

// Device is a polled network card. All memory it needs is allocated when it is
// opened; Receive, Send, Release and Arm never allocate and never block.
//
// Receive, Release and Arm of one device must not run concurrently with each
// other, nor Send and Completed with each other; the receiving and the sending
// side are independent, and Wait, Info, Stats and Close may be called at any
// time. The port package provides that locking. Close waits for nobody: who
// shares a device keeps Receive and Send from running during and after it.
type Device interface {
	Info() Info

	// Receive fills batch with frames that have arrived and returns how
	// many. Their bytes are lent until Release.
	Receive(batch []Frame) int

	// Release gives back every frame of batch.
	Release(batch []Frame)

	// Send queues packets in order and returns how many fitted; the rest is
	// the caller's to try again. One that can never be sent (too long, too
	// many pieces, memory the device cannot reach) is counted in
	// Stats.SendErrors, dropped, and counts as queued.
	Send(batch []Packet) int

	// Completed returns how many packets the device has taken over, ever,
	// and how many of them it no longer reads.
	Completed() (queued, done uint64)

	// Arm asks for one event when a frame arrives. It reports false, and
	// asks for nothing, when one already has. The event comes even if
	// somebody else Receives that frame before Wait returns: else who waits
	// would sleep on, and nobody be left to Arm.
	Arm() bool

	// Wait blocks the goroutine, and nothing else, until an event arrives. It
	// may return without one. It returns ErrClosed once the device is closed;
	// any other error means that events cannot be waited for. One goroutine
	// waits at a time.
	Wait() error

	Stats() Stats

	// Close stops the device; no DMA happens after it returns.
	Close() error
}

// Info is what does not change while a device is open.
type Info struct {
	Name string // "virtio-net 00:03.0"
	MAC  MAC
	MTU  int // bytes of payload after the 14-byte Ethernet header, at most 65535

	// MaxPieces is the most ranges of Gather, after being cut where device
	// addresses are not contiguous, that one packet may have.
	MaxPieces int

	// MaxGather, if it is not 0, is how many bytes the Gather ranges of one packet may have
	// together, whatever the MTU is. A frame that is so long cannot say its length in
	// its headers.
	MaxGather int

	// Exact says that frames arrive as they were sent or not at all, so that
	// nobody has to look at a checksum.
	Exact bool
}

// Frame is a received Ethernet frame without its check sequence.
type Frame struct {
	Bytes  []byte
	Rest   [][]byte // what follows Bytes; most cards deliver frames in one piece
	Cookie uint64   // the driver's
}

// Len is the length of the frame in bytes.
func (f *Frame) Len() int {
	n := len(f.Bytes)
	for _, b := range f.Rest {
		n += len(b)
	}
	return n
}

// Whole returns the frame in one piece: as it lies there, or else in new memory.
func (f *Frame) Whole() []byte {
	if len(f.Rest) == 0 {
		return f.Bytes
	}
	whole := append(make([]byte, 0, f.Len()), f.Bytes...)
	for _, b := range f.Rest {
		whole = append(whole, b...)
	}
	return whole
}

// Packet is an Ethernet frame to send: Head followed by the Gather ranges.
type Packet struct {
	// Head is copied before Send returns, so it may lie anywhere.
	Head []byte
	// Gather is read by the device itself: it must be memory that
	// mm.Translate knows, and stay mapped until Completed says so. The slice
	// itself is not kept.
	Gather []mm.Range
}

// Stats counts since the device was opened.
type Stats struct {
	RxFrames, RxBytes uint64
	RxErrors          uint64 // frames dropped: malformed, or too long
	TxFrames, TxBytes uint64
	SendErrors        uint64 // packets that can never be sent
	SendFull          uint64 // times Send could not take a whole batch
	DeviceErrors      uint64 // nonsense that the device wrote
	Kicks, Events     uint64 // doorbells rung, events that Wait saw
}
