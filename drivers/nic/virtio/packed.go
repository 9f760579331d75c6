package virtio

import (
	"sync/atomic"
	"unsafe"
)

// packed is the driver's side of one packed virtqueue (2.8): one ring of descriptors, in which
// the device writes back those that it is done with, and a word for each side that says when
// it wants a signal.
//
// Positions count up for ever, modulo 2^16; the ring's index are the lower bits, and the bit
// above them is the inverse of the wrap counter.
//
// Memory ordering. Number and flags of a descriptor are one 32-bit word that both sides read
// and write after, or before, the rest of it (2.8.6). The first of those that are published
// together is shown last, and with that the others. Wishes are words of 32 bits as well, and
// Go's atomics keep the orders between them and descriptors as those of split do.
//
// Caveat: no word has to change when the device has used something, so there is nothing for
// idle processors to watch.
//
// The methods of one queue must not run concurrently.
type packed struct {
	size     uint16 // descriptors, a power of two
	eventIdx bool
	mem      region

	desc        []packedDescriptor
	driverEvent *uint32 // ours: when we want a signal
	deviceEvent *uint32

	next      uint16   // the next position to write
	published uint16   // all before it are shown to the device
	shown     uint32   // tag of the one at published, when it is to be shown
	seen      uint16   // the position of the next that the device uses
	ready     uint16   // of those from seen on, found to be used
	lengths   []uint16 // descriptors of each buffer that is with the device
	wants     bool

	reminded bool   // a kick was repeated,
	reminder uint16 // while the device waited at this position
}

// packedDescriptor is pvirtq_desc (2.8.13).
type packedDescriptor struct {
	addr uint64
	len  uint32
	tag  uint32 // the buffer's number, and above it the flags
}

// Flags beside those of split queues (2.8.1): equal to the wrap counter, or not.
const (
	packedAvail = 1 << 7
	packedUsed  = 1 << 15
)

// Flags of wishes (2.8.14); below them are an index, in 15 bits, and its wrap counter.
const (
	signalAlways = 0
	signalNever  = 1
	signalAt     = 2
)

func packedBytes(n uint16) uint64 { return descriptorSize*uint64(n) + 8 }

// newPacked lays a queue out in the first packedBytes(size) bytes of mem, which are zero.
func newPacked(size uint16, mem region, eventIdx bool) *packed {
	q := &packed{size: size, eventIdx: eventIdx, mem: mem, lengths: make([]uint16, size)}
	// Sound: as newSplit; descriptors are aligned to 16 bytes, wishes to 4 (2.8.10.1).
	q.desc = unsafe.Slice((*packedDescriptor)(mem.pointer(0)), size)
	q.driverEvent = (*uint32)(mem.pointer(descriptorSize * uint64(size)))
	q.deviceEvent = (*uint32)(mem.pointer(descriptorSize*uint64(size) + 4))
	q.disarm()
	return q
}

func (q *packed) place() place {
	events := uint64(q.size) * descriptorSize
	return place{q.mem, q.size, 0, events, events + 4}
}

func (q *packed) usedIndex() *uint16 { return nil }

// wrap is the wrap counter at a position, 1 the first time round.
func (q *packed) wrap(at uint16) uint32 {
	if at&q.size == 0 {
		return 1
	}
	return 0
}

// available are the flags that make the descriptor at a position available.
func (q *packed) available(at uint16) uint32 {
	if q.wrap(at) == 1 {
		return packedAvail
	}
	return packedUsed
}

func (q *packed) offer(id uint16, chain []descriptor) {
	q.lengths[id] = uint16(len(chain))
	for k := range chain {
		d := &q.desc[q.next&(q.size-1)]
		d.addr, d.len = chain[k].addr, chain[k].len
		flags := q.available(q.next) | uint32(chain[k].flags&(descWrite|descIndirect))
		if k+1 < len(chain) {
			flags |= descNext
		}
		if tag := uint32(id) | flags<<16; q.next == q.published {
			q.shown = tag
		} else {
			atomic.StoreUint32(&d.tag, tag)
		}
		q.next++
	}
}

func (q *packed) publish() (kick bool) {
	old := q.published
	if q.next == old {
		return false
	}
	q.published = q.next
	atomic.StoreUint32(&q.desc[old&(q.size-1)].tag, q.shown)
	switch event, when := q.wish(); when {
	case signalNever:
		return false
	case signalAt:
		if q.next-event-1 >= q.next-old {
			return false
		}
		q.reminded = false // it may come by the same position once more
	}
	return true
}

// wish is when the device wants a kick: with signalAt for a descriptor at a position that is not
// after next.
func (q *packed) wish() (at uint16, when uint32) {
	w := atomic.LoadUint32(q.deviceEvent)
	at = q.next&^(q.size-1) | uint16(w)&(q.size-1)
	if q.wrap(at) != w>>15&1 {
		at -= q.size
	}
	return at, w >> 16 & 3
}

// overdue reports, once for each position at which the device waits, that it is passed and the
// device has something to do. That the device is slow is one reason. The other is QEMU's network
// device: when it has waited for its own peer it asks for a kick at the position from which it
// goes on, and goes on, so that nobody will pass that any more.
func (q *packed) overdue(uint16) bool {
	at, when := q.wish()
	if when != signalAt || at == q.published || q.published-q.seen == q.ready || q.reminded && q.reminder == at {
		return false
	}
	q.reminded, q.reminder = true, at
	return true
}

// pending finds descriptors that are used, one after the other. There are no more than the
// device was given, whatever it writes.
func (q *packed) pending() uint16 {
	for given := q.published - q.seen; q.ready < given; q.ready++ {
		at := q.seen + q.ready
		flags := atomic.LoadUint32(&q.desc[at&(q.size-1)].tag) >> 16
		avail, used := flags>>7&1, flags>>15&1
		if avail != used || used != q.wrap(at) {
			break
		}
	}
	return q.ready
}

func (q *packed) resync() {}

// link has nothing to do: the descriptors of a table follow each other (2.8.7).
func (q *packed) link([]descriptor) {}

// peek reads each word once, as that of split does.
func (q *packed) peek(i uint16) (id, length uint32) {
	d := &q.desc[(q.seen+i)&(q.size-1)]
	return atomic.LoadUint32(&d.tag) & 0xffff, atomic.LoadUint32(&d.len)
}

// take passes n buffers. The device uses one descriptor for each and leaves out as many more as
// the buffer had (2.8.6): those are not used the next time that pending looks.
func (q *packed) take(n uint16) {
	for range n {
		skip := uint16(1)
		if id, _ := q.peek(0); id < uint32(q.size) {
			skip = max(1, q.lengths[id])
		}
		q.seen += min(skip, q.published-q.seen)
		q.ready -= min(skip, q.ready)
	}
}

func (q *packed) arm() bool {
	q.wants = true
	wish := uint32(signalAlways) << 16
	if q.eventIdx {
		wish = signalAt<<16 | q.wrap(q.seen)<<15 | uint32(q.seen&(q.size-1))
	}
	atomic.StoreUint32(q.driverEvent, wish)
	if q.pending() != 0 {
		q.disarm()
		return false
	}
	return true
}

func (q *packed) armed() bool { return q.wants }

func (q *packed) disarm() {
	q.wants = false
	atomic.StoreUint32(q.driverEvent, signalNever<<16)
}
