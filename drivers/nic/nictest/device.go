package nictest

import (
	"sync"

	"nuos/drivers/nic"
	"nuos/mm"
)

// Device is one station on a segment. It implements nic.Device.
type Device struct {
	seg    *Segment
	name   string
	mac    nic.MAC
	wake   chan struct{} // holds the event of Arm until Wait takes it
	closed chan struct{}
	once   sync.Once

	// Guarded by seg.mu.
	ring   []arrived // frames that wait for Receive
	head   int       // the oldest
	count  int
	armed  bool
	queued uint64 // packets taken from Send
	stats  nic.Stats
	down   bool
}

// arrived is a frame in one of the segment's buffers.
type arrived struct{ buffer, length int }

var _ nic.Device = (*Device)(nil)

func (d *Device) Info() nic.Info {
	return nic.Info{Name: d.name, MAC: d.mac, MTU: d.seg.mtu, MaxPieces: 64}
}

// arrive queues a frame for Receive. Called with seg.mu held.
func (d *Device) arrive(f arrived) {
	if d.down || d.count == len(d.ring) {
		if !d.down {
			d.seg.dropped++
		}
		d.seg.free = append(d.seg.free, f.buffer)
		return
	}
	d.ring[(d.head+d.count)%len(d.ring)] = f
	d.count++
	if d.armed {
		d.armed = false
		d.stats.Events++
		select {
		case d.wake <- struct{}{}:
		default: // an event nobody waited for is still there
		}
	}
}

func (d *Device) Receive(batch []nic.Frame) int {
	d.seg.mu.Lock()
	defer d.seg.mu.Unlock()
	n := min(len(batch), d.count)
	for i := range n {
		f := d.ring[d.head]
		d.head = (d.head + 1) % len(d.ring)
		batch[i] = nic.Frame{Bytes: d.seg.buffers[f.buffer][:f.length:f.length], Cookie: uint64(f.buffer)}
		d.stats.RxFrames++
		d.stats.RxBytes += uint64(f.length)
	}
	d.count -= n
	return n
}

// Release overwrites the bytes it gets back, so that who kept them notices.
func (d *Device) Release(batch []nic.Frame) {
	for _, f := range batch {
		for i := range f.Bytes {
			f.Bytes[i] = 0xdb
		}
	}
	d.seg.mu.Lock()
	defer d.seg.mu.Unlock()
	for _, f := range batch {
		d.seg.free = append(d.seg.free, int(f.Cookie))
	}
}

func (d *Device) Send(batch []nic.Packet) int {
	d.seg.mu.Lock()
	defer d.seg.mu.Unlock()
	if d.down {
		return 0
	}
	for _, p := range batch {
		d.queued++
		frame := d.seg.assemble(p)
		if frame == nil {
			d.stats.SendErrors++
			continue
		}
		d.stats.TxFrames++
		d.stats.TxBytes += uint64(len(frame))
		d.seg.forward(d, frame)
	}
	return len(batch)
}

// assemble puts the pieces of p together, in memory that the next call uses
// again. It returns nil for a packet that is no Ethernet frame of the
// segment's MTU. Called with mu held.
func (s *Segment) assemble(p nic.Packet) []byte {
	size := uint64(len(p.Head))
	for _, r := range p.Gather {
		size += r.Size
	}
	if len(p.Gather) > 64 || size < 14 || size > uint64(s.mtu+14) {
		return nil
	}
	if s.scratch == nil {
		s.scratch = make([]byte, s.mtu+14)
	}
	n := copy(s.scratch, p.Head)
	for _, r := range p.Gather {
		n += copy(s.scratch[n:], mm.Bytes(r))
	}
	return s.scratch[:n]
}

func (d *Device) Completed() (queued, done uint64) {
	d.seg.mu.Lock()
	defer d.seg.mu.Unlock()
	return d.queued, d.queued // Send has copied them
}

func (d *Device) Arm() bool {
	d.seg.mu.Lock()
	defer d.seg.mu.Unlock()
	if d.count > 0 {
		return false
	}
	d.armed = true
	return true
}

func (d *Device) Wait() error {
	select {
	case <-d.wake:
		return nil
	case <-d.closed:
		return nic.ErrClosed
	}
}

func (d *Device) Stats() nic.Stats {
	d.seg.mu.Lock()
	defer d.seg.mu.Unlock()
	return d.stats
}

// Close takes the device off the segment: it sends and receives nothing more.
func (d *Device) Close() error {
	d.once.Do(func() {
		d.seg.mu.Lock()
		defer d.seg.mu.Unlock()
		d.down = true
		close(d.closed)
	})
	return nil
}
