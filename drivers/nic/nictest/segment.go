package nictest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"nuos/drivers/nic"
)

// Options of a segment; the zero value is a plain, fault-free one.
type Options struct {
	// Seed of the dice that faults are thrown with; 0 takes a random one.
	Seed uint64
	// MTU of every device; 0 means 9000.
	MTU int
	// Queue is how many frames a device holds until they are received; 0
	// means 1024. Frames that find it full are dropped.
	Queue int
}

// Segment is an Ethernet segment that joins devices.
type Segment struct {
	mtu, queue int

	mu      sync.Mutex
	dice    *rand.Rand
	devices []*Device
	learned map[nic.MAC]*Device
	faults  Faults                // of every direction that links does not name
	links   map[[2]*Device]Faults // by sender and receiver
	groups  map[*Device]int       // nil: no partition
	pending deliveries            // delayed frames, by time
	timer   *time.Timer           // runs deliver; nil until a frame is delayed
	buffers [][]byte              // every buffer ever made; an index is a cookie
	free    []int                 // buffers in nobody's hands
	scratch []byte                // where assemble puts a frame together
	tap     func(Tapped)
	dropped uint64
	closed  bool
}

// Tapped is a frame as it was sent, before faults. Frame is only valid during
// the call.
type Tapped struct {
	From  *Device
	Frame []byte
}

// New makes a segment that is closed when the test ends, and logs its seed.
func New(t testing.TB, o Options) *Segment {
	t.Helper()
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.MTU == 0 {
		o.MTU = 9000
	}
	if o.Queue == 0 {
		o.Queue = 1024
	}
	t.Logf("nictest: seed %#x", o.Seed)
	s := &Segment{
		mtu:     o.MTU,
		queue:   o.Queue,
		dice:    rand.New(rand.NewPCG(o.Seed, 0)),
		learned: map[nic.MAC]*Device{},
		links:   map[[2]*Device]Faults{},
	}
	t.Cleanup(s.Close)
	return s
}

// Attach adds a device with the next of the addresses 02:00:00:00:00:01, ...
func (s *Segment) Attach() *Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.devices) + 1
	d := &Device{
		seg:    s,
		name:   fmt.Sprintf("nictest %d", n),
		mac:    nic.MAC{2, 0, 0, 0, byte(n >> 8), byte(n)},
		ring:   make([]arrived, s.queue),
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
	}
	s.devices = append(s.devices, d)
	return d
}

// Tap has fn called with every frame that is sent, in order; nil ends it. fn
// must not use the segment.
func (s *Segment) Tap(fn func(Tapped)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tap = fn
}

// Dropped returns how many frames found a receiver's queue full.
func (s *Segment) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Close closes every device; frames on the way are lost.
func (s *Segment) Close() {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	devices := s.devices
	s.mu.Unlock()
	for _, d := range devices {
		d.Close()
	}
}

// forward switches one frame. Called with mu held; frame is not kept.
func (s *Segment) forward(from *Device, frame []byte) {
	if s.tap != nil {
		s.tap(Tapped{from, frame})
	}
	s.learned[nic.MAC(frame[6:12])] = from
	if to := s.learned[nic.MAC(frame[0:6])]; to != nil && frame[0]&1 == 0 {
		if to != from {
			s.transmit(from, to, frame)
		}
		return
	}
	for _, to := range s.devices {
		if to != from {
			s.transmit(from, to, frame)
		}
	}
}

// buffer returns a buffer that holds a copy of frame. Called with mu held.
func (s *Segment) buffer(frame []byte) arrived {
	if len(s.free) == 0 {
		s.buffers = append(s.buffers, make([]byte, s.mtu+14))
		// Room for every buffer to be free, so that Release never grows it.
		s.free = append(make([]int, 0, cap(s.buffers)), len(s.buffers)-1)
	}
	i := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	return arrived{i, copy(s.buffers[i], frame)}
}
