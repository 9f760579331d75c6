package tor

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
)

// MaxFrame is the longest frame the switch forwards: 9000 bytes of payload,
// the Ethernet header and one VLAN tag. Longer ones are counted as Bad.
const MaxFrame = 9000 + headerLen + 4

// headerLen is an Ethernet header: destination, source, type.
const headerLen = 14

// maxAddresses bounds the table of learned addresses, so that a machine that
// makes up source addresses costs flooding, not memory.
const maxAddresses = 4096

// Switch is an Ethernet switch that learns. All methods may be used
// concurrently.
type Switch struct {
	seed    uint64
	capture atomic.Pointer[captures] // nil: nobody listens
	delays  delayLine

	// table and plugged are replaced, never changed, so that forwarding
	// reads them without a lock.
	table   atomic.Pointer[map[address]*Port]
	plugged atomic.Pointer[[]*Port]

	mu       sync.Mutex
	nextID   int
	removed  []*Port // for Totals
	closers  []func()
	isClosed bool
}

// address is an Ethernet address in the low 48 bits.
type address uint64

func addressAt(b []byte) address {
	return address(binary.BigEndian.Uint16(b))<<32 | address(binary.BigEndian.Uint32(b[2:]))
}

// group reports whether a is a multicast or the broadcast address.
func (a address) group() bool { return a>>40&1 != 0 }

// New makes a switch without ports. The seed decides every random fault; with
// equal seeds, ports added in equal order and equal frames, so are the faults.
func New(seed uint64) *Switch {
	sw := &Switch{seed: seed}
	sw.table.Store(&map[address]*Port{})
	sw.plugged.Store(&[]*Port{})
	sw.delays.start()
	return sw
}

// Seed returns the seed that New was given.
func (sw *Switch) Seed() uint64 { return sw.seed }

// Ports lists the ports in the order in which they were added.
func (sw *Switch) Ports() []*Port { return append([]*Port(nil), *sw.plugged.Load()...) }

// AddPort adds a port with nothing plugged in. Frames for it are dropped
// until something is.
func (sw *Switch) AddPort(name string) *Port {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	p := newPort(sw, sw.nextID, name)
	sw.nextID++
	ports := append(sw.Ports(), p)
	sw.plugged.Store(&ports)
	if sw.isClosed {
		p.out.shut()
	}
	return p
}

// RemovePort takes a port away, with what is plugged into it.
func (sw *Switch) RemovePort(p *Port) {
	sw.mu.Lock()
	ports := make([]*Port, 0, len(*sw.plugged.Load()))
	for _, q := range *sw.plugged.Load() {
		if q != p {
			ports = append(ports, q)
		}
	}
	if len(ports) < len(*sw.plugged.Load()) {
		sw.removed = append(sw.removed, p)
	}
	sw.plugged.Store(&ports)
	table := make(map[address]*Port)
	for a, q := range *sw.table.Load() {
		if q != p {
			table[a] = q
		}
	}
	sw.table.Store(&table)
	sw.mu.Unlock()
	p.out.shut()
}

// learn notes that a is reached through p.
func (sw *Switch) learn(a address, p *Port) {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	old := *sw.table.Load()
	if _, known := old[a]; !known && len(old) >= maxAddresses {
		return
	}
	if !slices.Contains(*sw.plugged.Load(), p) {
		return // removed while its last frames were on their way
	}
	table := make(map[address]*Port, len(old)+1)
	for k, v := range old {
		table[k] = v
	}
	table[a] = p
	sw.table.Store(&table)
}

// route forwards a frame that came in at from. The bytes are the caller's
// again when it returns.
func (sw *Switch) route(b *batch, from *Port, frame []byte) {
	table := *sw.table.Load()
	if source := addressAt(frame[6:]); !source.group() && table[source] != from {
		sw.learn(source, from)
	}
	destination := addressAt(frame)
	if !destination.group() {
		if to := table[destination]; to != nil {
			if to != from {
				sw.emit(b, from, to, frame)
			} else {
				from.count.Filtered.Add(1)
			}
			return
		}
	}
	copies := 0
	for _, to := range *sw.plugged.Load() {
		if to != from {
			sw.emit(b, from, to, frame)
			copies++
		}
	}
	switch {
	case copies == 0:
		from.count.Filtered.Add(1)
	case copies > 1:
		from.count.Flooded.Add(uint64(copies - 1))
	}
}

// emit sends a frame out of the port to.
func (sw *Switch) emit(b *batch, from, to *Port, frame []byte) {
	if g, h := from.group.Load(), to.group.Load(); g != h && g != 0 && h != 0 {
		to.count.Partitioned.Add(1)
		return
	}
	frame, copies := to.egress.pass(sw, to, frame)
	for range copies {
		to.transmit(b, frame)
	}
}

// Partition puts ports into groups that cannot reach each other. Ports in no
// group reach everybody. It replaces an earlier partition; without groups it
// heals.
func (sw *Switch) Partition(groups ...[]*Port) {
	number := make(map[*Port]int32)
	for i, g := range groups {
		for _, p := range g {
			number[p] = int32(i + 1)
		}
	}
	for _, p := range *sw.plugged.Load() {
		p.group.Store(number[p])
	}
}

// onClose has f called when the switch is closed, or now if it is.
func (sw *Switch) onClose(f func()) {
	sw.mu.Lock()
	closed := sw.isClosed
	if !closed {
		sw.closers = append(sw.closers, f)
	}
	sw.mu.Unlock()
	if closed {
		f()
	}
}

// Close unplugs everything and stops listening. It is idempotent.
func (sw *Switch) Close() error {
	sw.mu.Lock()
	closers := sw.closers
	sw.closers, sw.isClosed = nil, true
	sw.mu.Unlock()
	for i := len(closers) - 1; i >= 0; i-- {
		closers[i]()
	}
	for _, p := range *sw.plugged.Load() {
		p.out.shut()
	}
	sw.delays.stop()
	return sw.flushCaptures()
}
