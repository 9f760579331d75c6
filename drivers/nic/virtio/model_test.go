package virtio

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"nuos/drivers/nic"
	"nuos/mm"
)

// model is a network device on the other end of the rings, in the same
// process. It is written against the specification and shares no code with
// the driver. It works when a test says so, in the test's goroutine.
type model struct {
	features uint64 // offered
	entries  int
	mtu      int
	accepted uint64
	rings    [2]deviceRing
	packed   [2]packedRing // instead, if that was accepted
	event    int
	kicks    [2]int
	events   int
	closed   bool
	scratch  []byte
}

// deviceRing is one queue as the device finds it: addresses only.
type deviceRing struct {
	size              uint16
	desc, avail, used uintptr
	next              uint16 // of the available ring
	done              uint16 // of the used ring
	told              uint16 // used entries that the driver was signalled about
}

const everything = featuresWanted &^ featPacked

var one = []byte{1, 0, 0, 0, 0, 0, 0, 0} // what is written to an eventfd

func newModel(features uint64) *model {
	return &model{features: features, entries: 64, mtu: 9000, event: -1, scratch: make([]byte, 1<<16)}
}

func (m *model) name() string             { return "model" }
func (m *model) offered() (uint64, error) { return m.features, nil }
func (m *model) accept(f uint64) error    { m.accepted = f; return nil }
func (m *model) limit(i int) int          { return m.entries }
func (m *model) kick(i int)               { m.kicks[i]++ }
func (m *model) start(event int) error    { m.event = event; return nil }
func (m *model) close() error             { m.closed = true; return nil }
func (m *model) config() (config, error) {
	return config{nic.MAC{2, 0, 0, 0, 0, 1}, m.mtu}, nil
}

func (m *model) attach(i int, r ring) error {
	if m.isPacked() {
		m.packed[i] = newPackedRing(r.place())
		return nil
	}
	q := r.(*split)
	base := uintptr(mm.Direct(q.mem.phys))
	n := uintptr(q.size)
	m.rings[i] = deviceRing{size: q.size, desc: base, avail: base + 16*n, used: base + (16*n+4+2*n+4+4095)/4096*4096}
	return nil
}

func word[T any](addr uintptr) *T { return *(**T)(unsafe.Pointer(&addr)) }

// at is guest memory as the device sees it.
func at(phys uint64, n uint32) []byte {
	return mm.Bytes(mm.Range{Base: mm.Direct(mm.Phys(phys)), Size: uint64(n)})
}

// available returns how many chains wait for the device.
func (r *deviceRing) available() uint16 { return *word[uint16](r.avail + 2) - r.next }

// head is the i-th waiting chain.
func (r *deviceRing) head(i uint16) uint16 {
	return *word[uint16](r.avail + 4 + 2*uintptr((r.next+i)%r.size))
}

func (m *model) isPacked() bool { return m.accepted&featPacked != 0 }

// complete gives a packet back that sent has not.
func (m *model) complete(i int, head uint16) {
	if m.isPacked() {
		m.packed[i].give(head, 0).show()
	} else {
		m.rings[i].put(uint32(head), 0)
	}
}

// put writes one used entry; tell shows it.
func (r *deviceRing) put(id, length uint32) {
	e := r.used + 4 + 8*uintptr(r.done%r.size)
	*word[uint32](e), *word[uint32](e + 4) = id, length
	r.done++
}

// tell publishes used entries and signals the driver if it wants that.
func (m *model) tell(i int) {
	m.publish(i)
	m.signal(i)
}

func (m *model) publish(i int) {
	if m.isPacked() {
		return // they are
	}
	r := &m.rings[i]
	// Atomic for the fence: the driver's wish is read after our index is out.
	flags := uint32(*word[uint16](r.used))
	atomic.StoreUint32(word[uint32](r.used), flags|uint32(r.done)<<16)
}

func (m *model) signal(i int) {
	if m.isPacked() {
		m.signalPacked(i)
		return
	}
	r := &m.rings[i]
	old := r.told
	r.told = r.done
	var want bool
	if m.accepted&featEventIdx != 0 {
		event := *word[uint16](r.avail + 4 + 2*uintptr(r.size))
		want = r.done-event-1 < r.done-old
	} else {
		want = *word[uint16](r.avail)&1 == 0
	}
	if want && i == receiveQueue && r.done != old {
		m.events++
		unix.Write(m.event, one)
	}
}

// wantKick asks for a kick at the next chain, as a device that goes to sleep.
func (m *model) wantKick(i int, yes bool) {
	if m.isPacked() {
		m.wantKickPacked(i, yes)
		return
	}
	r := &m.rings[i]
	if m.accepted&featEventIdx != 0 {
		event := r.next
		if !yes {
			event--
		}
		*word[uint16](r.used + 4 + 8*uintptr(r.size)) = event
	} else if yes {
		*word[uint16](r.used) = 0
	} else {
		*word[uint16](r.used) = 1
	}
}

// deliver puts a frame into receive buffers. It reports false if there are not
// enough.
func (m *model) deliver(frame []byte) bool {
	if m.isPacked() {
		return m.deliverPacked(frame)
	}
	r := &m.rings[receiveQueue]
	var header [12]byte
	rest := frame
	n := uint16(0)
	first := []byte(nil)
	done := r.done
	for len(rest) > 0 || n == 0 {
		if n == r.available() {
			r.done = done
			return false
		}
		d := *word[descriptor](r.desc + 16*uintptr(r.head(n)))
		if d.flags != descWrite {
			panic("receive buffer is not for writing")
		}
		b := at(d.addr, d.len)
		size := 0
		if n == 0 {
			first = b
			size = 12
		}
		k := copy(b[size:], rest)
		rest = rest[k:]
		r.put(uint32(r.head(n)), uint32(size+k))
		n++
		if len(rest) > 0 && m.accepted&featMrgRxbuf == 0 {
			panic("frame larger than a receive buffer")
		}
	}
	binary.LittleEndian.PutUint16(header[10:], n)
	copy(first, header[:])
	r.next += n
	return true
}

// sent takes one packet off the send queue without its header, valid until the
// next call; complete says whether the driver is told.
func (m *model) sent(complete bool) (frame []byte, head uint16, ok bool) {
	if m.isPacked() {
		return m.sentPacked(complete)
	}
	r := &m.rings[sendQueue]
	if r.available() == 0 {
		return nil, 0, false
	}
	head = r.head(0)
	frame = m.scratch[:0]
	table, index := r.desc, head
	limit := r.size
	d := *word[descriptor](table + 16*uintptr(index))
	if d.flags&descIndirect != 0 {
		if m.accepted&featIndirect == 0 || d.flags&descNext != 0 || d.len%16 != 0 {
			panic("bad indirect descriptor")
		}
		table, index, limit = uintptr(mm.Direct(mm.Phys(d.addr))), 0, uint16(d.len/16)
	}
	for {
		if index >= limit {
			panic("descriptor out of range")
		}
		d := *word[descriptor](table + 16*uintptr(index))
		if d.flags&descWrite != 0 {
			panic("packet to send is for writing")
		}
		frame = append(frame, at(d.addr, d.len)...)
		if d.flags&descNext == 0 {
			break
		}
		index = d.next
	}
	for _, b := range frame[:12] {
		if b != 0 {
			panic("header is not zero")
		}
	}
	r.next++
	if complete {
		r.put(uint32(head), 0)
		m.tell(sendQueue)
	}
	return frame[12:], head, true
}

// openModel opens a device on m and checks at the end that all its memory was
// given back.
func openModel(t testing.TB, m *model, o options) *Device {
	t.Helper()
	mm.Frames() // makes the machine's memory
	before := mm.Frames()
	d, err := open(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil || !m.closed {
			t.Errorf("Close = %v, device stopped: %v", err, m.closed)
		}
		if after := mm.Frames(); after.DMA != before.DMA {
			t.Errorf("%d frames of device memory after Close; want %d", after.DMA, before.DMA)
		}
	})
	return d
}
