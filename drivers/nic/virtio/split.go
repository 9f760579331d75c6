package virtio

import (
	"sync/atomic"
	"unsafe"
)

// split is the driver's side of one split virtqueue (2.7): a table of
// descriptors, the available ring, which we write, and the used ring, which
// the device writes.
//
// Memory ordering. The 16-bit words that the two sides share are read and
// written together with their 16-bit neighbour as one aligned 32-bit atomic:
// flags and idx of a ring are neighbours, and the event words are followed by
// two bytes of padding that splitBytes reserves. Go's atomics are sequentially
// consistent, which gives all three orders that the rings need:
//
//   - entries before idx: plain stores to descriptors and ring happen before
//     the atomic store of the available idx, and the device's entries are read
//     after the atomic load of the used idx (2.7.13, 2.7.14);
//   - idx before event: after we publish idx we read the device's wish to be
//     kicked. Store then load is the one order that amd64 does not keep by
//     itself; the atomic store is an XCHG, which is a full fence (2.7.13.3.1);
//   - event before idx: arm likewise stores our wish, then looks for used
//     entries once more (2.7.7.2).
//
// The methods of one queue must not run concurrently.
type split struct {
	size     uint16 // entries, a power of two
	eventIdx bool   // VIRTIO_F_EVENT_IDX
	mem      region

	desc       []descriptor
	availHead  *uint32 // flags, idx
	avail      []uint16
	usedEvent  *uint32 // ours: signal after this used entry
	usedHead   *uint32 // flags, idx
	used       []usedElem
	availEvent *uint32 // the device's: kick after this available entry

	next      uint16 // available entries written
	published uint16 // of those, seen by the device
	seen      uint16 // used entries taken
	flags     uint16 // of the available ring
	wants     bool   // a signal
	mute      bool   // nobody hears the device's signals: it is asked for none

	reminded bool   // a kick was repeated,
	reminder uint16 // while the device waited at this position
}

// usedElem is a chain that the device is done with (2.7.8).
type usedElem struct{ id, len uint32 }

const (
	noInterrupt = 1 // available flags: do not signal (2.7.6)
	noNotify    = 1 // used flags: do not kick (2.7.8)
)

// Where the parts of a queue of n entries lie in its memory. The used ring
// gets its own page, so that what the device writes shares no cache line with
// what we write.
func availOffset(n uint16) uint64 { return descriptorSize * uint64(n) }
func usedOffset(n uint16) uint64 {
	return pages(availOffset(n) + 4 + 2*uint64(n) + 4)
}
func splitBytes(n uint16) uint64 { return usedOffset(n) + 4 + 8*uint64(n) + 4 }

// newSplit lays a queue out in the first splitBytes(size) bytes of mem, which
// are zero.
func newSplit(size uint16, mem region, eventIdx bool) *split {
	avail, used := availOffset(size), usedOffset(size)
	q := &split{size: size, eventIdx: eventIdx, mem: mem}
	// Sound: the offsets are those of arrays that lie within mem, aligned as
	// 2.7 asks, and mem is never moved or freed while the queue is in use.
	q.desc = unsafe.Slice((*descriptor)(mem.pointer(0)), size)
	q.availHead = (*uint32)(mem.pointer(avail))
	q.avail = unsafe.Slice((*uint16)(mem.pointer(avail+4)), size)
	q.usedEvent = (*uint32)(mem.pointer(avail + 4 + 2*uint64(size)))
	q.usedHead = (*uint32)(mem.pointer(used))
	q.used = unsafe.Slice((*usedElem)(mem.pointer(used+4)), size)
	q.availEvent = (*uint32)(mem.pointer(used + 4 + 8*uint64(size)))
	q.disarm()
	return q
}

// usedIndex is the word that changes when the device has used entries.
func (q *split) usedIndex() *uint16 {
	return (*uint16)(q.mem.pointer(usedOffset(q.size) + 2))
}

func (q *split) place() place {
	return place{q.mem, q.size, 0, availOffset(q.size), usedOffset(q.size)}
}

// offer writes the chain from descriptor number id on, which are the buffer's own, as far as it is
// not there already: to leave them alone leaves them in the device's cache.
func (q *split) offer(id uint16, chain []descriptor) {
	for k, d := range chain {
		if k+1 < len(chain) {
			d.flags |= descNext
			d.next = id + uint16(k) + 1
		}
		if to := &q.desc[id+uint16(k)]; *to != d {
			*to = d
		}
	}
	q.avail[q.next&(q.size-1)] = id
	q.next++
}

func (q *split) link(table []descriptor) {
	for k := range len(table) - 1 {
		table[k].flags |= descNext
		table[k].next = uint16(k + 1)
	}
}

// publish shows the device what was offered and reports whether it wants to be
// kicked for it.
func (q *split) publish() (kick bool) {
	old := q.published
	if q.next == old {
		return false
	}
	q.published = q.next
	q.storeAvail()
	if q.eventIdx {
		// The device set a position; it is kicked when we pass it (2.7.10).
		event := uint16(atomic.LoadUint32(q.availEvent))
		return q.next-event-1 < q.next-old
	}
	return atomic.LoadUint32(q.usedHead)&noNotify == 0
}

// overdue reports, once for each position at which the device waits, that it
// should have moved on from there: more than `slack` entries are published past
// it. Where the fences above hold that says only that the device is slow, and a
// second kick does no harm. Where they do not, its first kick may have been
// missed and nothing else would ever wake it: QEMU's emulation of a machine with
// one processor leaves the fence of an XCHG out.
func (q *split) overdue(slack uint16) bool {
	if !q.eventIdx {
		return false
	}
	event := uint16(atomic.LoadUint32(q.availEvent))
	past, unused := q.published-event, q.published-uint16(atomic.LoadUint32(q.usedHead)>>16)
	if past <= slack || past > unused || q.reminded && q.reminder == event {
		return false // a position that the device is past itself is an old one
	}
	q.reminded, q.reminder = true, event
	return true
}

func (q *split) storeAvail() {
	atomic.StoreUint32(q.availHead, uint32(q.published)<<16|uint32(q.flags))
}

// pending returns how many used entries wait to be taken. More than size is
// nonsense from the device; resync forgets it.
func (q *split) pending() uint16 {
	return uint16(atomic.LoadUint32(q.usedHead)>>16) - q.seen
}

// resync takes the device's word for where it is, without its entries.
func (q *split) resync() { q.seen += q.pending() }

// peek returns the used entry i places ahead. Each word is read exactly once:
// the device may change it after we have checked it.
func (q *split) peek(i uint16) (id, length uint32) {
	e := &q.used[(q.seen+i)&(q.size-1)]
	return atomic.LoadUint32(&e.id), atomic.LoadUint32(&e.len)
}

// take consumes n used entries.
func (q *split) take(n uint16) { q.seen += n }

// arm asks for a signal when the next entry is used; it reports false, having
// asked for nothing, if one is there already.
func (q *split) arm() bool {
	q.wants = true
	if q.mute {
		// Whoever waits looks at the used index.
	} else if q.eventIdx {
		atomic.StoreUint32(q.usedEvent, uint32(q.seen))
	} else {
		q.flags = 0
		q.storeAvail()
	}
	if q.pending() != 0 {
		q.disarm()
		return false
	}
	return true
}

func (q *split) armed() bool { return q.wants }

// disarm takes the wish back as far as that is possible. With EVENT_IDX it is
// put as far away as it can be, 2^16 entries, so that there is one needless
// signal each time round.
func (q *split) disarm() {
	q.wants = false
	if q.eventIdx {
		atomic.StoreUint32(q.usedEvent, uint32(q.seen-1))
	} else {
		q.flags = noInterrupt
		q.storeAvail()
	}
}
