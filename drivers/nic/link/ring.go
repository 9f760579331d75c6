//go:build !metal

package link

import (
	"sync/atomic"
	"unsafe"

	"nuos/mm"
)

// A machine's end of the cable is one stretch of its memory:
//
//	  0  tail    descriptors published, modulo 2^32        written by this machine
//	 64  head    descriptors of the other's ring done with, modulo 2^32
//	128  want    not 0: wake me when you publish; another value for each wish
//	192  the descriptors
//	     the bytes of packets' heads, a ring too
//
// The words lie in cache lines of their own. All are written and read with Go's atomics,
// which are sequentially consistent: descriptors are written before the tail that shows
// them and read after it, and who publishes looks at want after that, while who wants looks
// at tail after that.
const (
	tailAt        = 0
	headAt        = 64
	wantAt        = 128
	descriptorsAt = 192

	entries   = 2048
	bytesAt   = (descriptorsAt + entries*descriptorSize + 63) &^ 63
	ringBytes = 1<<20 - bytesAt
	cacheLine = 64
	endSize   = bytesAt + ringBytes

	// reapEvery is how many descriptors are written before somebody looks how far the peer has come,
	// unless there is no room: to look takes the line with that from the peer's cache.
	reapEvery = 64

	maxPieces = 2 + maxGather/mm.PageSize // descriptors of a packet: its head, and pages that are not in a row
)

// descriptor is a piece of a packet.
type descriptor struct {
	addr uint64 // device address, in the memory of the ring's owner
	len  uint32
	more uint32 // 1: another piece of the same packet follows
}

const descriptorSize = 16

// end is where the words of a machine's end are, in its own memory or in the peer's as it is
// mapped here.
type end struct {
	tail, head, want *uint32
	descriptors      *[entries]descriptor
}

// endAt finds them. Sound: memory has endSize bytes, is aligned to a page and stays mapped
// for as long as the end is used.
func endAt(memory []byte) end {
	_ = memory[endSize-1]
	at := func(offset int) unsafe.Pointer { return unsafe.Pointer(&memory[offset]) }
	return end{
		tail: (*uint32)(at(tailAt)), head: (*uint32)(at(headAt)), want: (*uint32)(at(wantAt)),
		descriptors: (*[entries]descriptor)(at(descriptorsAt)),
	}
}

// producer is the sending side: the ring that this machine writes.
type producer struct {
	end
	bytes   []byte  // for heads
	phys    mm.Phys // of bytes
	tail    uint32  // descriptors written
	done    uint32  // of those, the peer does not read any more
	written uint64  // bytes of heads, and of the space skipped at the end of the ring
	freed   uint64
	packets [entries]packet // by the index of their last descriptor

	queued, completed uint64 // packets
}

// packet is what is to be done when the peer has passed a descriptor.
type packet struct {
	ends  uint64 // packets that are over then: none in the middle of one
	bytes uint64 // producer.written by then
}

// put writes the descriptors of a packet. It reports false, having done nothing, if there
// is no room.
func (p *producer) put(head []byte, gather []piece) bool {
	n := uint32(1 + len(gather))
	if p.tail-p.done+n > entries {
		return false
	}
	// Each head begins a cache line, so that it is in as few as it can be, and in none that the
	// peer is reading because of the one before.
	skip := -p.written % cacheLine
	at := (p.written + skip) % ringBytes
	if at+uint64(len(head)) > ringBytes {
		skip, at = skip+ringBytes-at, 0
	}
	if p.written+skip+uint64(len(head))-p.freed > ringBytes {
		return false
	}
	copy(p.bytes[at:], head)
	p.written += skip + uint64(len(head))
	d := descriptor{addr: uint64(p.phys) + at, len: uint32(len(head))}
	for _, g := range gather {
		d.more = 1
		p.add(d, packet{})
		d = descriptor{addr: uint64(g.phys), len: g.len}
	}
	p.add(d, packet{1, p.written})
	p.queued++
	return true
}

// leaveOut counts a packet that nobody will read, which is over when those before it are.
func (p *producer) leaveOut() {
	p.queued++
	if p.done == p.tail {
		p.completed++
	} else {
		p.packets[(p.tail-1)%entries].ends++
	}
}

func (p *producer) add(d descriptor, is packet) {
	p.descriptors[p.tail%entries] = d
	p.packets[p.tail%entries] = is
	p.tail++
}

// publish shows the peer what was put.
func (p *producer) publish() { atomic.StoreUint32(p.end.tail, p.tail) }

// reap takes note that the peer is done with all before head. It reports false if there
// cannot be such a head.
func (p *producer) reap(head uint32) bool {
	if head-p.done > p.tail-p.done {
		return false
	}
	for ; p.done != head; p.done++ {
		if is := p.packets[p.done%entries]; is.ends > 0 {
			p.completed += is.ends
			p.freed = is.bytes
		}
	}
	return true
}

// piece is a part of a packet to send, at its device address.
type piece struct {
	phys mm.Phys
	len  uint32
}

// consumer is the receiving side: the ring that the peer writes.
type consumer struct {
	next     uint32 // the next descriptor to look at
	head     uint32 // all before it are done with
	released [entries]uint32
	pieces   [entries + maxPieces][]byte // of lent frames, by the index of their first descriptor
}

// take reads the next packet of a ring whose tail is given, and returns its pieces and how many
// descriptors it has; 0 for a packet that is nonsense.
func (c *consumer) take(ring *[entries]descriptor, tail uint32, memory []byte) (pieces [][]byte, n uint32) {
	first := c.next % entries
	for n = 0; n < maxPieces && c.next+n != tail; {
		d := &ring[(c.next+n)%entries]
		addr, size, more := d.addr, uint64(d.len), d.more // each once: the peer may change them
		if size > uint64(len(memory)) || addr > uint64(len(memory))-size {
			return nil, 0
		}
		c.pieces[first+n] = memory[addr : addr+size : addr+size]
		n++
		if more == 0 {
			return c.pieces[first : first+n], n
		}
	}
	return nil, 0
}

// release says that the n descriptors from first on are not read any more, and moves head
// past all of which that is true.
func (c *consumer) release(first, n uint32) {
	c.released[first%entries] = n
	for c.head != c.next {
		n := c.released[c.head%entries]
		if n == 0 {
			return
		}
		c.released[c.head%entries] = 0
		c.head += n
	}
}
