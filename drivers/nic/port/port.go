package port

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"nuos/drivers/nic"
)

// batchSize is how many frames one Poll takes from the card. Larger batches
// gain little and make those wait who were first.
const batchSize = 64

// Port is a network card with its pump. Its methods may be called by any
// goroutine.
type Port struct {
	dev    nic.Device
	info   nic.Info
	config Config
	addr   atomic.Pointer[netip.Prefix]
	closed atomic.Bool
	parks  atomic.Bool   // the pump is parked, or about to park
	pumped chan struct{} // closed when the pump has ended
	claims claims

	// rx is held while frames are taken and delivered: it keeps Receive,
	// Release and Arm of the device apart and frames in order.
	rx struct {
		mu    sync.Mutex
		batch [batchSize]nic.Frame
	}
	// tx keeps Send and Completed of the device apart.
	tx struct {
		mu   sync.Mutex
		down bool   // the card is closed
		last uint64 // packets it had taken over by then
	}
}

// New starts a port on dev with the given address; the zero Prefix stands for
// a link-local one. The port owns dev from now on. Machines call Open instead.
func New(dev nic.Device, addr netip.Prefix) *Port {
	return start(dev, Config{Addr: addr}, idleAdaptive)
}

func start(dev nic.Device, c Config, idle idleMode) *Port {
	p := &Port{dev: dev, info: dev.Info(), config: c, pumped: make(chan struct{})}
	addr := c.Addr
	if !addr.IsValid() {
		addr = linkLocal(p.info.MAC)
	}
	p.addr.Store(&addr)
	go p.pump(idle)
	return p
}

// Info describes the card.
func (p *Port) Info() nic.Info { return p.info }

// MAC is the card's Ethernet address.
func (p *Port) MAC() nic.MAC { return p.info.MAC }

// MTU is the most bytes of payload after the 14-byte Ethernet header.
func (p *Port) MTU() int { return p.info.MTU }

// Config is what the boot parameter ip= says.
func (p *Port) Config() Config { return p.config }

// Addr is the machine's address and subnet: what ip= or SetAddr said last,
// until then one of 169.254.0.0/16 that is derived from the MAC.
func (p *Port) Addr() netip.Prefix { return *p.addr.Load() }

// SetAddr records an address that DHCP has given.
func (p *Port) SetAddr(a netip.Prefix) { p.addr.Store(&a) }

// Stats returns the card's counters.
func (p *Port) Stats() nic.Stats { return p.dev.Stats() }

// Send queues packets in order and returns how many fitted; see
// nic.Device.Send. It does not allocate and does not wait for the card.
func (p *Port) Send(batch []nic.Packet) int {
	p.tx.mu.Lock()
	defer p.tx.mu.Unlock()
	if p.closed.Load() {
		return 0
	}
	return p.dev.Send(batch)
}

// Completed returns how many packets the card has taken over, ever, and how
// many of them, in the same order, it no longer reads. Memory that was given
// to Send as Gather may be used again when done has reached what queued was
// after that Send. Once the port is closed, all is done.
func (p *Port) Completed() (queued, done uint64) {
	p.tx.mu.Lock()
	defer p.tx.mu.Unlock()
	if p.tx.down {
		return p.tx.last, p.tx.last
	}
	return p.dev.Completed()
}

// Poll delivers up to 64 frames that have arrived and returns how many they
// were. When somebody else is at it, it does nothing and returns 0.
func (p *Port) Poll() int {
	if !p.rx.mu.TryLock() {
		return 0
	}
	defer p.rx.mu.Unlock()
	if p.closed.Load() {
		return 0
	}
	p.claims.before()
	batch := p.rx.batch[:p.dev.Receive(p.rx.batch[:])]
	if len(batch) == 0 {
		return 0
	}
	// Deferred, as the lock is, so that a panic in a claimant that somebody
	// recovers from neither stops the port nor loses the card's buffers.
	defer p.dev.Release(batch)
	for i, f := range batch {
		p.claims.deliver(f, i < len(batch)-1)
	}
	return len(batch)
}

// Pumping reports whether the pump is awake, and so polls again as soon as those have run who could
// when it last did.
func (p *Port) Pumping() bool { return !p.parks.Load() }

// Close stops the pump and the card and waits for both. Send and Poll then
// return 0.
func (p *Port) Close() error {
	if p.closed.Swap(true) {
		<-p.pumped
		return nil
	}
	// Whoever is inside the device leaves before it goes; whoever comes later
	// sees closed.
	p.rx.mu.Lock()
	p.tx.mu.Lock()
	p.tx.last, _ = p.dev.Completed()
	err := p.dev.Close()
	p.tx.down = true
	p.tx.mu.Unlock()
	p.rx.mu.Unlock()
	<-p.pumped
	return err
}
