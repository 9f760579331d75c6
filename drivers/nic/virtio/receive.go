package virtio

import (
	"encoding/binary"
	"sync/atomic"

	"nuos/drivers/nic"
	"nuos/mm"
)

// headerSize is virtio_net_hdr with num_buffers, as always under version 1
// (5.1.6.1).
const (
	headerSize    = 12
	headerBuffers = 10 // offset of num_buffers
)

const ethernetHeader = 14

// receiver is the receiving side, with an array of equal buffers, as many as the queue has
// descriptors.
//
// A frame longer than a buffer comes in several of them. A device uses buffers
// in the order in which they were offered and fills each but the last, and we
// offer them round and round in the order of their addresses, whatever order
// they come back in: so those of one frame are neighbours in memory, and the
// frame is contiguous as it lies there. Only where that order breaks (the end
// of the array, a device that does otherwise) are the pieces copied together.
//
// A buffer is posted, lent or idle.
type receiver struct {
	q         ring
	transport transport

	memory     []byte // the buffers
	base       mm.Phys
	one        [1]descriptor
	bufferSize int
	posted     []bool // with the device
	idle       []bool // neither there nor lent: may be posted
	turn       int    // the buffer to be posted next
	merge      bool   // MRG_RXBUF
	maxFrame   int    // bytes, with the Ethernet header

	joined     []byte   // buffers of joinedSize for frames that are copied together
	joinedFree []uint16 // those not lent
	pieces     []piece  // of the frame being put together

	woken atomic.Bool // Wait has returned since arm

	frames, bytes, errors, strange, kicks atomic.Uint64
}

// piece is what the device wrote into one buffer.
type piece struct{ buffer, length int }

// joinedBuffers bounds how many copied frames can be lent at a time; when all
// are, Receive stops early.
const joinedBuffers = 8

// Cookies: the first buffer of a frame and how many follow it, or which of the
// joined ones.
const (
	cookieCount  = 16 // shift
	cookieJoined = 1 << 32
)

// put makes buffer i idle.
func (r *receiver) put(i int) {
	if r.posted[i] || r.idle[i] {
		panic("virtio: frame released twice")
	}
	r.idle[i] = true
}

// publish posts idle buffers, as far as it is their turn.
func (r *receiver) publish() {
	for r.idle[r.turn] {
		r.idle[r.turn] = false
		r.posted[r.turn] = true
		r.one[0] = descriptor{uint64(r.base) + uint64(r.turn*r.bufferSize), uint32(r.bufferSize), descWrite, 0}
		r.q.offer(uint16(r.turn), r.one[:])
		if r.turn++; r.turn == len(r.idle) {
			r.turn = 0
		}
	}
	if r.q.publish() {
		r.kicks.Add(1)
		r.transport.kick(receiveQueue)
	}
}

func (r *receiver) receive(batch []nic.Frame) int {
	left := r.q.pending()
	if left == 0 {
		return 0
	}
	// Only when the event has come: to take the wish back before would leave
	// the one that waits for it asleep, and the card unarmed.
	if r.q.armed() && r.woken.Load() {
		r.q.disarm()
	}
	if int(left) > len(r.posted) {
		r.strange.Add(1)
		r.q.resync()
		return 0
	}
	n, bytes, bad := 0, 0, 0
	for left > 0 && n < len(batch) {
		used, length := r.assemble(left)
		if length > 0 && !r.lend(length, &batch[n]) {
			break // every joined buffer is lent
		}
		if length > 0 {
			bytes += length
			n++
		} else {
			r.drop()
			bad++
		}
		r.q.take(used)
		left -= used
	}
	if bad > 0 {
		r.publish() // what drop has put back
		r.errors.Add(uint64(bad))
	}
	r.frames.Add(uint64(n))
	r.bytes.Add(uint64(bytes))
	return n
}

// assemble finds the pieces of the next frame among left used entries. It
// returns how many entries those are and the frame's length, 0 for a frame
// that must be dropped; then pieces holds those buffers that are ours again.
func (r *receiver) assemble(left uint16) (used uint16, length int) {
	r.pieces = r.pieces[:0]
	first, good := r.piece(0)
	if !good || first.length < headerSize {
		return 1, 0
	}
	count := uint16(1)
	if r.merge {
		header := r.memory[first.buffer*r.bufferSize:]
		count = binary.LittleEndian.Uint16(header[headerBuffers:])
		if count == 0 {
			return 1, 0
		}
	}
	length = first.length - headerSize
	// All buffers of a frame are used together (5.1.6.4.2): one that is
	// missing will not come.
	whole := count <= left
	count = min(count, left)
	for i := uint16(1); i < count; i++ {
		p, ok := r.piece(i)
		length += p.length
		good = good && ok
	}
	if !whole || !good || length < ethernetHeader || length > r.maxFrame {
		return count, 0
	}
	return count, length
}

// piece checks the used entry i places ahead and adds it to pieces. A buffer
// that the device did not have cannot come back from it.
func (r *receiver) piece(i uint16) (p piece, ok bool) {
	id, length := r.q.peek(i)
	if id >= uint32(len(r.posted)) || !r.posted[id] {
		r.strange.Add(1)
		return piece{}, false
	}
	r.posted[id] = false
	ok = length <= uint32(r.bufferSize)
	p = piece{int(id), int(min(length, uint32(r.bufferSize)))}
	r.pieces = append(r.pieces, p)
	return p, ok
}

// drop puts the buffers of pieces back.
func (r *receiver) drop() {
	for _, p := range r.pieces {
		r.put(p.buffer)
	}
}

// lend makes a frame of pieces. It reports false, with everything as it was
// before assemble, if that needs a joined buffer and none is free.
func (r *receiver) lend(length int, f *nic.Frame) bool {
	first := r.pieces[0].buffer
	if r.contiguous() {
		begin := first*r.bufferSize + headerSize
		f.Bytes = r.memory[begin : begin+length : begin+length]
		f.Cookie = uint64(len(r.pieces))<<cookieCount | uint64(first)
		return true
	}
	if len(r.joinedFree) == 0 {
		for _, p := range r.pieces {
			r.posted[p.buffer] = true
		}
		return false
	}
	j := r.joinedFree[len(r.joinedFree)-1]
	r.joinedFree = r.joinedFree[:len(r.joinedFree)-1]
	to := r.joined[int(j)*r.maxFrame:][:0:r.maxFrame]
	skip := headerSize
	for _, p := range r.pieces {
		from := p.buffer * r.bufferSize
		to = append(to, r.memory[from+skip:from+p.length]...)
		skip = 0
		r.put(p.buffer)
	}
	f.Bytes = to[:len(to):len(to)]
	f.Cookie = cookieJoined | uint64(j)
	return true
}

// contiguous reports whether the frame lies in memory as a whole.
func (r *receiver) contiguous() bool {
	for i, p := range r.pieces[1:] {
		if before := r.pieces[i]; p.buffer != before.buffer+1 || before.length != r.bufferSize {
			return false
		}
	}
	return true
}

func (r *receiver) arm() bool {
	r.woken.Store(false)
	if r.q.overdue(0) { // nothing may arrive any more that would bring us here again
		r.kicks.Add(1)
		r.transport.kick(receiveQueue)
	}
	return r.q.arm()
}

func (r *receiver) release(batch []nic.Frame) {
	for i := range batch {
		c := batch[i].Cookie
		if c&cookieJoined != 0 {
			r.joinedFree = append(r.joinedFree, uint16(c))
			continue
		}
		first, count := int(uint16(c)), int(c>>cookieCount)
		for b := first; b < first+count; b++ {
			r.put(b)
		}
	}
	r.publish()
}
