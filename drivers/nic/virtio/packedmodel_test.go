package virtio

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"nuos/mm"
)

// packedRing is a packed queue as the device finds it (2.8), written against the specification.
// Its counters are an index and, apart from it, the wrap counter. Nothing here allocates once
// slices have grown.
type packedRing struct {
	size                 uint16
	desc, driver, device uintptr
	next, used           packedCounter
	given                []packedCounter // what the driver was not yet signalled about
	lengths              []uint16        // descriptors of each buffer, by number
	chain                []descriptor    // that look has found
	buffers              []packedBuffer  // of the frame that is being delivered
}

// packedBuffer is a buffer to receive into, and then the word that shows that it is used.
type packedBuffer struct {
	id    uint16
	bytes []byte
	shown usedWord
}

// usedWord is the last word of a used descriptor, yet to be written.
type usedWord struct {
	addr uintptr
	tag  uint32
}

func (w usedWord) show() { atomic.StoreUint32(word[uint32](w.addr), w.tag) }

// packedCounter is a place in the ring.
type packedCounter struct {
	index uint16
	wrap  bool
}

func (c *packedCounter) advance(n, size uint16) {
	if c.index += n; c.index >= size {
		c.index -= size
		c.wrap = !c.wrap
	}
}

func newPackedRing(p place) packedRing {
	base := uintptr(mm.Direct(p.mem.phys))
	return packedRing{size: p.size, desc: base + uintptr(p.desc), driver: base + uintptr(p.driver), device: base + uintptr(p.device),
		next: packedCounter{0, true}, used: packedCounter{0, true}, lengths: make([]uint16, p.size), chain: make([]descriptor, 0, p.size)}
}

func (r *packedRing) flags(at packedCounter) uint16 {
	return uint16(atomic.LoadUint32(word[uint32](r.desc+16*uintptr(at.index)+12)) >> 16)
}

// available reports whether the descriptor at a place is the device's (2.8.1).
func (r *packedRing) available(at packedCounter) bool {
	f := r.flags(at)
	return f>>7&1 == 1 == at.wrap && f>>15&1 == 1 != at.wrap
}

// look finds the buffer at a place, in chain, and returns its number and where the next one is.
func (r *packedRing) look(at packedCounter) (id uint16, after packedCounter, ok bool) {
	if !r.available(at) {
		return 0, at, false
	}
	r.chain = r.chain[:0]
	for {
		a := r.desc + 16*uintptr(at.index)
		f := r.flags(at)
		id = *word[uint16](a + 12)
		r.chain = append(r.chain, descriptor{*word[uint64](a), *word[uint32](a + 8), f & (descWrite | descIndirect | descNext), 0})
		at.advance(1, r.size)
		if f&descNext == 0 {
			break
		}
		if len(r.chain) == int(r.size) {
			panic("a chain longer than the ring")
		}
	}
	r.lengths[id] = uint16(len(r.chain))
	return id, at, true
}

// give writes a used descriptor but for the word that shows it (2.8.6).
func (r *packedRing) give(id uint16, length uint32) usedWord {
	at := r.used
	a := r.desc + 16*uintptr(at.index)
	r.used.advance(r.lengths[id], r.size)
	r.given = append(r.given, at)
	*word[uint32](a + 8) = length
	flags := uint32(0)
	if at.wrap {
		flags = 1<<7 | 1<<15
	}
	return usedWord{a + 12, uint32(id) | flags<<16}
}

// signalPacked signals the driver if it wants that for what was given since the last time (2.8.10).
func (m *model) signalPacked(i int) {
	r := &m.packed[i]
	wish := atomic.LoadUint32(word[uint32](r.driver))
	want := false
	switch wish >> 16 & 3 {
	case 0:
		want = len(r.given) > 0
	case 2:
		for _, at := range r.given {
			want = want || at == packedCounter{uint16(wish) & 0x7fff, wish>>15&1 == 1}
		}
	}
	r.given = r.given[:0]
	if want && i == receiveQueue {
		m.events++
		unix.Write(m.event, one)
	}
}

func (m *model) wantKickPacked(i int, yes bool) {
	r := &m.packed[i]
	wish := uint32(1) << 16
	if yes {
		wish = 0
		if m.accepted&featEventIdx != 0 {
			wish = 2<<16 | uint32(r.next.index)
			if r.next.wrap {
				wish |= 1 << 15
			}
		}
	}
	atomic.StoreUint32(word[uint32](r.device), wish)
}

func (m *model) deliverPacked(frame []byte) bool {
	r := &m.packed[receiveQueue]
	buffers := r.buffers[:0]
	at, room := r.next, 0
	for room < 12+len(frame) {
		id, after, ok := r.look(at)
		if !ok {
			return false
		}
		if len(r.chain) != 1 || r.chain[0].flags != descWrite {
			panic("receive buffer is not for writing")
		}
		if len(buffers) > 0 && m.accepted&featMrgRxbuf == 0 {
			panic("frame larger than a receive buffer")
		}
		b := bytesOf(r.chain[0])
		buffers, room, at = append(buffers, packedBuffer{id: id, bytes: b}), room+len(b), after
	}
	r.next, r.buffers = at, buffers
	all := m.scratch[:12]
	clear(all)
	binary.LittleEndian.PutUint16(all[10:], uint16(len(buffers)))
	all = append(all, frame...)
	for i := range buffers {
		b := &buffers[i]
		n := copy(b.bytes, all)
		all = all[n:]
		b.shown = r.give(b.id, uint32(n))
	}
	for i := len(buffers) - 1; i >= 0; i-- { // the first one last: all are used together
		buffers[i].shown.show()
	}
	return true
}

// bytesOf is the memory of a descriptor.
func bytesOf(d descriptor) []byte { return at(d.addr, d.len) }

func (m *model) sentPacked(complete bool) (frame []byte, id uint16, ok bool) {
	r := &m.packed[sendQueue]
	id, after, ok := r.look(r.next)
	if !ok {
		return nil, 0, false
	}
	r.next = after
	chain := r.chain
	if chain[0].flags&descIndirect != 0 {
		if m.accepted&featIndirect == 0 || len(chain) != 1 || chain[0].len%16 != 0 {
			panic("bad indirect descriptor")
		}
		table := bytesOf(chain[0])
		for chain = nil; len(table) > 0; table = table[16:] {
			if f := binary.LittleEndian.Uint16(table[14:]); f != 0 {
				panic("flags in a table of a packed queue")
			}
			chain = append(chain, descriptor{binary.LittleEndian.Uint64(table), binary.LittleEndian.Uint32(table[8:]), 0, 0})
		}
	}
	frame = m.scratch[:0]
	for _, d := range chain {
		if d.flags&descWrite != 0 {
			panic("packet to send is for writing")
		}
		frame = append(frame, bytesOf(d)...)
	}
	for _, b := range frame[:12] {
		if b != 0 {
			panic("header is not zero")
		}
	}
	if complete {
		m.complete(sendQueue, id)
		m.tell(sendQueue)
	}
	return frame[12:], id, true
}
