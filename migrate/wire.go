package migrate

import (
	"encoding/binary"

	"nuos/mm"
	"nuos/proclet"
)

// op says what a message asks of the destination.
type op uint8

const (
	opAnnounce op = 1 + iota // take this proclet; answered when prepared or refused
	opCopy                   // it runs still, but take its bytes; answered when they are there, or refused
	opCommit                 // it is yours; answered when it runs
	opAbort                  // forget it; answered when forgotten
)

// message goes from the source of a move to its destination.
//
// Layout, little-endian: op (1 byte), number, floor (8 each); an announcement, or the
// message of a round of copying, goes on with round, transfer, heap address, generation, capacity, mapped bytes, kind,
// moves (8 each), and a list of used ranges: their number (4) and for each its offset
// from the heap's address and size (8 each). After round 0, which brings all of them,
// there is another such list, of what has changed.
type message struct {
	op     op
	number uint64 // of the move, counted by the source
	floor  uint64 // the source asks no more about moves to this machine below it

	round    uint64 // how often bytes were sent before
	transfer uint64 // of the bulk transfer
	proclet  proclet.Description
}

const maxRanges = 1 << 16

func (m *message) append(b []byte) []byte {
	b = append(b, byte(m.op))
	b = put(b, m.number, m.floor)
	if !m.brings() {
		return b
	}
	d := &m.proclet
	b = put(b, m.round, m.transfer, d.ID.Addr, d.ID.Gen, d.Capacity, d.Mapped, d.Kind, d.Moves)
	lists := [][]mm.Range{d.Used, d.Changed}
	if m.round == 0 {
		lists = lists[:1]
	}
	for _, list := range lists {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
		for _, r := range list {
			b = put(b, uint64(r.Base)-d.ID.Addr, r.Size)
		}
	}
	return b
}

// brings reports whether bytes follow the message.
func (m *message) brings() bool { return m.op == opAnnounce || m.op == opCopy }

func put(b []byte, fields ...uint64) []byte {
	for _, f := range fields {
		b = binary.LittleEndian.AppendUint64(b, f)
	}
	return b
}

// parseMessage reads what append wrote. The used ranges of what it returns are in
// order, apart from each other, and lie within the mapped part
// of a heap that lies in the heap area. So do those that are sent, each within one that is used.
func parseMessage(b []byte) (message, error) {
	r := messageReader{b: b}
	m := message{op: op(r.take(1)), number: r.take(8), floor: r.take(8)}
	if m.brings() {
		d := &m.proclet
		for _, f := range []*uint64{&m.round, &m.transfer, &d.ID.Addr, &d.ID.Gen, &d.Capacity, &d.Mapped, &d.Kind, &d.Moves} {
			*f = r.take(8)
		}
		if r.bad || !soundHeap(d) {
			return m, ErrMessage
		}
		d.Used = r.ranges(d, []mm.Range{{Base: mm.Virt(d.ID.Addr), Size: d.Mapped}})
		if d.Changed = d.Used; m.round > 0 {
			d.Changed = r.ranges(d, d.Used)
		}
	}
	if r.bad || len(r.b) > 0 || m.op < opAnnounce || m.op > opAbort {
		return m, ErrMessage
	}
	return m, nil
}

// messageReader reads a message.
type messageReader struct {
	b   []byte
	bad bool // there was less than was read, or it made no sense
}

// take reads a number of so many bytes.
func (r *messageReader) take(size int) uint64 {
	if len(r.b) < size {
		r.bad, r.b = true, nil
		return 0
	}
	var n [8]byte
	copy(n[:], r.b[:size])
	r.b = r.b[size:]
	return binary.LittleEndian.Uint64(n[:])
}

// ranges reads a list of ranges of d, each of which is within one of those given.
func (r *messageReader) ranges(d *proclet.Description, within []mm.Range) (list []mm.Range) {
	n := r.take(4)
	if n > maxRanges {
		r.bad = true
		return nil
	}
	for end := uint64(0); n > 0 && !r.bad; n-- {
		offset, size := r.take(8), r.take(8)
		for len(within) > 0 && uint64(within[0].End())-d.ID.Addr <= offset {
			within = within[1:]
		}
		if len(within) == 0 || offset < end || size == 0 {
			r.bad = true
			return nil
		}
		from, whole := uint64(within[0].Base)-d.ID.Addr, within[0].Size
		if offset < from || offset-from > whole || size > whole-(offset-from) {
			r.bad = true
			return nil
		}
		end = offset + size
		list = append(list, mm.Range{Base: mm.Virt(d.ID.Addr + offset), Size: size})
	}
	return list
}

func soundHeap(d *proclet.Description) bool {
	c := d.Capacity
	return c >= mm.PageSize && c&(c-1) == 0 && d.ID.Addr%c == 0 && d.ID.Gen != 0 &&
		d.Mapped <= c && d.Mapped%mm.PageSize == 0 &&
		mm.HeapArea.Contains(mm.Virt(d.ID.Addr)) && c <= uint64(mm.HeapArea.End())-d.ID.Addr
}
