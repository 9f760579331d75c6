package virtio

import (
	"sync/atomic"
	"unsafe"

	"nuos/drivers/nic"
	"nuos/mm"
)

// sender is the sending side: an array of slots, one for each packet that can
// be with the device. A slot owns chain descriptors of the queue, with numbers from slot
// number times chain on, so there are no free descriptors to keep account of.
type sender struct {
	q         ring
	one       [1]descriptor
	transport transport

	slots     []slot
	indirect  bool // a slot has one descriptor, and a table in its memory
	chain     int  // descriptors of the queue per slot
	maxPieces int
	maxFrame  int

	free []uint16 // slots; the last used is the next, it is still cached

	// Packets are numbered as they come. finished says, by number modulo its
	// length, which of those from done on the device no longer reads.
	finished []bool

	queued, done                     uint64
	frames, bytes                    atomic.Uint64
	sendErrors, full, strange, kicks atomic.Uint64
}

// slot is a packet's place while it is with the device. Its memory begins with
// a table for indirect descriptors, then come the virtio header, always zero,
// and the packet's Head.
type slot struct {
	table  []descriptor
	head   []byte
	phys   mm.Phys // of table
	packet uint64  // number of the packet plus 1, 0 if none
}

const (
	// maxIndirect is how many pieces an indirect packet may have besides its
	// Head: a 9 KB frame gathered from unaligned, scattered pages has four.
	maxIndirect = 15
	// chainLength is how many descriptors a slot has without INDIRECT_DESC.
	chainLength = 4
	// slotHeader is where in a slot the header lies.
	slotHeader = (1 + maxIndirect) * descriptorSize
)

// sendSlack is how many packets may wait at the device before it is kicked once
// more: more than a burst that it has no time to look at.
const sendSlack = 8

// makeSlots allocates n slots for frames of up to maxFrame bytes, in several
// regions: long runs of frames are hard to get and mm rounds them up.
func makeSlots(n, maxFrame int) (slots []slot, regions []region, err error) {
	const most = 128 << 10
	size := uint64(slotHeader+headerSize+maxFrame+63) &^ 63
	for len(slots) < n {
		count := min(most/size, uint64(n-len(slots)))
		mem, err := newRegion(count * size)
		if err != nil {
			return slots, regions, err
		}
		regions = append(regions, mem)
		for at := uint64(0); at < count*size; at += size {
			slots = append(slots, slot{
				// Sound: slots are aligned to 64 bytes, as regions are.
				table: unsafe.Slice((*descriptor)(mem.pointer(at)), 1+maxIndirect),
				head:  mem.slice(at+slotHeader+headerSize, at+slotHeader+headerSize+uint64(maxFrame)),
				phys:  mem.phys + mm.Phys(at),
			})
		}
	}
	return slots, regions, nil
}

func (s *sender) send(batch []nic.Packet) int {
	if len(s.free) < len(batch) {
		s.reap()
	}
	n, bytes, sent := 0, 0, 0
	for ; n < len(batch); n++ {
		if len(s.free) == 0 || s.queued-s.done == uint64(len(s.finished)) {
			s.full.Add(1)
			break
		}
		i := s.free[len(s.free)-1]
		length := s.fill(int(i), &batch[n])
		number := s.queued
		s.queued++
		if length == 0 {
			s.sendErrors.Add(1)
			s.finish(number)
			continue
		}
		s.free = s.free[:len(s.free)-1]
		s.slots[i].packet = number + 1
		bytes += length
		sent++
	}
	if s.q.publish() || s.q.overdue(sendSlack) {
		s.kicks.Add(1)
		s.transport.kick(sendQueue)
	}
	s.frames.Add(uint64(sent))
	s.bytes.Add(uint64(bytes))
	return n
}

// fill offers p, in slot i, and returns the length of the frame, or 0, having done nothing, if it
// can never be sent.
func (s *sender) fill(i int, p *nic.Packet) int {
	length := uint64(len(p.Head))
	for _, r := range p.Gather {
		if r.Size > uint64(s.maxFrame) {
			return 0
		}
		length += r.Size
	}
	if length < ethernetHeader || length > uint64(s.maxFrame) {
		return 0
	}
	slot := &s.slots[i]
	copy(slot.head, p.Head)
	table := slot.table[:1+s.maxPieces]
	table[0] = descriptor{addr: uint64(slot.phys) + slotHeader, len: uint32(headerSize + len(p.Head))}
	count := gather(table, p.Gather)
	if count == 0 {
		return 0
	}
	chain := table[:count]
	if count > 1 && s.indirect {
		s.q.link(chain)
		s.one[0] = descriptor{addr: uint64(slot.phys), len: uint32(count * descriptorSize), flags: descIndirect}
		chain = s.one[:]
	}
	s.q.offer(uint16(i*s.chain), chain)
	return int(length)
}

// gather writes descriptors for ranges into table, from entry 1 on, one for
// each stretch of contiguous device addresses. It returns how many entries
// table then has, or 0 if they do not fit or memory is not the device's.
func gather(table []descriptor, ranges []mm.Range) int {
	n := 1
	for _, r := range ranges {
		for r.Size > 0 {
			at, contiguous, ok := mm.Translate(r.Base)
			if !ok || n == len(table) {
				return 0
			}
			size := min(r.Size, contiguous)
			table[n] = descriptor{addr: uint64(at), len: uint32(size)}
			n++
			r.Base += mm.Virt(size)
			r.Size -= size
		}
	}
	return n
}

func (s *sender) completed() (queued, done uint64) {
	s.reap()
	return s.queued, s.done
}

// reap takes back the slots that the device is done with, and no more than a queue full of them.
func (s *sender) reap() {
	size := len(s.slots) * s.chain
	for room := size; room > 0; {
		left := int(s.q.pending())
		if left > size {
			s.strange.Add(1)
			s.q.resync()
		}
		if left == 0 || left > size {
			return
		}
		left = min(left, room)
		s.take(uint16(left))
		room -= left
	}
}

// take takes n of them back.
func (s *sender) take(n uint16) {
	for k := range n {
		id, _ := s.q.peek(k)
		i := id / uint32(s.chain)
		if id%uint32(s.chain) != 0 || i >= uint32(len(s.slots)) || s.slots[i].packet == 0 {
			s.strange.Add(1)
			continue
		}
		s.finish(s.slots[i].packet - 1)
		s.slots[i].packet = 0
		s.free = append(s.free, uint16(i))
	}
	s.q.take(n)
}

// finish notes that the device does not read packet number any more, and moves
// done past every packet of which that is true. A device may finish them in
// any order; Completed counts in order of sending.
func (s *sender) finish(number uint64) {
	mask := uint64(len(s.finished) - 1)
	s.finished[number&mask] = true
	for s.done < s.queued && s.finished[s.done&mask] {
		s.finished[s.done&mask] = false
		s.done++
	}
}
