package virtio

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"nuos/drivers/nic"
	"nuos/drivers/virtiopci"
	"nuos/mm"
)

// Device is an open virtio-net device. It implements nic.Device, whose rules
// for concurrent calls hold.
type Device struct {
	transport transport
	features  uint64
	info      nic.Info
	rx        receiver
	tx        sender
	regions   []region // all memory that the device reaches

	event   *os.File // an eventfd, parked on through Go's network poller
	counter [8]byte  // what Wait reads from it
	events  atomic.Uint64

	closing  sync.Once
	closeErr error
}

var _ nic.Device = (*Device)(nil)

// options are for tests, which shrink things to reach their ends.
type options struct {
	refuse     uint64 // features not to take
	queue      int    // most entries per queue; 0: maxQueue
	bufferSize int    // of receive buffers with MRG_RXBUF; 0: as the MTU asks
}

// maxSlots bounds how many packets can be with the device, and so the memory
// that the sending side takes.
const maxSlots = 256

// Sizes of receive buffers with MRG_RXBUF: one frame of the usual MTU each, or
// a third of a large one.
const (
	smallBuffer = 2048
	largeBuffer = mm.PageSize
)

// MTUs: what is assumed when the device offers none, the most we take, and the
// least that an IPv4 network may have.
const (
	usualMTU = 1500
	maxMTU   = 9000
	minMTU   = 68
)

// open initialises a device (3.1.1) and lets it run.
func open(t transport, o options) (*Device, error) {
	d := &Device{transport: t}
	if err := d.initialise(o); err != nil {
		d.abandon()
		return nil, fmt.Errorf("%s: %w", t.name(), err)
	}
	return d, nil
}

func (d *Device) initialise(o options) (err error) {
	if d.features, err = negotiate(d.transport, o); err != nil {
		return err
	}
	c, err := d.transport.config()
	if err != nil {
		return err
	}
	d.info = nic.Info{Name: d.transport.name(), MAC: c.mac, MTU: usualMTU}
	if d.has(featMTU) && c.mtu >= minMTU {
		d.info.MTU = min(c.mtu, maxMTU)
	}
	if !d.has(featMAC) {
		d.info.MAC = nic.RandomMAC()
	}
	if err := d.openReceiver(o); err != nil {
		return err
	}
	if err := d.openSender(o); err != nil {
		return err
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	d.event = os.NewFile(uintptr(fd), "virtio event")
	if err := d.transport.start(fd); err != nil {
		return err
	}
	d.rx.publish()
	return nil
}

func (d *Device) has(feature uint64) bool { return d.features&feature != 0 }

// queueSize settles the size of queue i: the largest power of two that the
// device, the tests and maxQueue allow.
func (d *Device) queueSize(i, most int) (uint16, error) {
	n := min(d.transport.limit(i), most)
	if n < chainLength {
		return 0, fmt.Errorf("%w: queue %d has %d entries", virtiopci.ErrQueue, i, n)
	}
	size := 1
	for size*2 <= n {
		size *= 2
	}
	return uint16(size), nil
}

func (o options) most() int {
	if o.queue > 0 {
		return o.queue
	}
	return maxQueue
}

func (d *Device) openReceiver(o options) error {
	size, err := d.queueSize(receiveQueue, o.most())
	if err != nil {
		return err
	}
	r := &d.rx
	r.transport = d.transport
	r.merge = d.has(featMrgRxbuf)
	r.maxFrame = ethernetHeader + d.info.MTU
	r.bufferSize = headerSize + r.maxFrame // without merging, each takes any frame
	if r.merge {
		r.bufferSize = o.bufferSize
		if r.bufferSize == 0 && headerSize+r.maxFrame <= smallBuffer {
			r.bufferSize = smallBuffer
		} else if r.bufferSize == 0 {
			r.bufferSize = largeBuffer
		}
	}
	r.pieces = make([]piece, 0, size)

	joined := pages(d.ringBytes(size))
	end := joined + joinedBuffers*uint64(r.maxFrame)
	mem, err := d.allocate(end)
	if err != nil {
		return err
	}
	buffers, err := d.allocate(uint64(size) * uint64(r.bufferSize))
	if err != nil {
		return err
	}
	r.q = d.newRing(size, mem)
	r.base = buffers.phys
	r.memory = buffers.slice(0, uint64(size)*uint64(r.bufferSize))
	r.joined = mem.slice(joined, end)
	for i := range uint16(joinedBuffers) {
		r.joinedFree = append(r.joinedFree, i)
	}
	r.posted, r.idle = make([]bool, size), make([]bool, size)
	for i := range int(size) {
		r.put(i)
	}
	return d.transport.attach(receiveQueue, r.q)
}

func (d *Device) openSender(o options) error {
	s := &d.tx
	s.indirect = d.has(featIndirect)
	s.chain, s.maxPieces = 1, maxIndirect
	if !s.indirect {
		s.chain, s.maxPieces = chainLength, chainLength-1
	}
	size, err := d.queueSize(sendQueue, min(o.most(), maxSlots*s.chain))
	if err != nil {
		return err
	}
	slots := int(size) / s.chain
	s.transport = d.transport
	s.maxFrame = ethernetHeader + d.info.MTU
	mem, err := d.allocate(d.ringBytes(size))
	if err != nil {
		return err
	}
	s.q = d.newRing(size, mem)
	var regions []region
	s.slots, regions, err = makeSlots(slots, s.maxFrame)
	d.regions = append(d.regions, regions...)
	if err != nil {
		return err
	}
	s.finished = make([]bool, 2*slots)
	for i := range slots {
		s.free = append(s.free, uint16(slots-1-i))
	}
	d.info.MaxPieces = s.maxPieces
	return d.transport.attach(sendQueue, s.q)
}

// allocate returns zeroed memory that abandon frees.
func (d *Device) allocate(size uint64) (region, error) {
	r, err := newRegion(size)
	if err == nil {
		d.regions = append(d.regions, r)
	}
	return r, err
}

func (d *Device) Info() nic.Info { return d.info }

func (d *Device) Receive(batch []nic.Frame) int    { return d.rx.receive(batch) }
func (d *Device) Release(batch []nic.Frame)        { d.rx.release(batch) }
func (d *Device) Arm() bool                        { return d.rx.arm() }
func (d *Device) Send(batch []nic.Packet) int      { return d.tx.send(batch) }
func (d *Device) Completed() (queued, done uint64) { return d.tx.completed() }

func (d *Device) Wait() error {
	if _, err := d.event.Read(d.counter[:]); errors.Is(err, os.ErrClosed) {
		return nic.ErrClosed
	} else if err != nil {
		return err
	}
	d.rx.woken.Store(true)
	d.events.Add(1)
	return nil
}

func (d *Device) Stats() nic.Stats {
	return nic.Stats{
		RxFrames:     d.rx.frames.Load(),
		RxBytes:      d.rx.bytes.Load(),
		RxErrors:     d.rx.errors.Load(),
		TxFrames:     d.tx.frames.Load(),
		TxBytes:      d.tx.bytes.Load(),
		SendErrors:   d.tx.sendErrors.Load(),
		SendFull:     d.tx.full.Load(),
		DeviceErrors: d.rx.strange.Load() + d.tx.strange.Load(),
		Kicks:        d.rx.kicks.Load() + d.tx.kicks.Load(),
		Events:       d.events.Load(),
	}
}

func (d *Device) Close() error {
	d.closing.Do(func() { d.closeErr = d.abandon() })
	return d.closeErr
}

// abandon stops the device, then gives back what it used. Parts that were not
// opened are skipped.
func (d *Device) abandon() error {
	err := d.transport.close()
	if d.event != nil {
		d.event.Close() // wakes Wait
	}
	if err != nil {
		return err // a device that does not stop keeps its memory, for ever
	}
	for _, r := range d.regions {
		r.free()
	}
	return nil
}
