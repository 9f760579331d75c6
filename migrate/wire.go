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
	opCommit                 // it is yours; answered when it runs
	opAbort                  // forget it; answered when forgotten
)

// message goes from the source of a move to its destination.
//
// Layout, little-endian: op (1 byte), number, floor (8 each); an announcement
// goes on with transfer, heap address, generation, capacity, mapped bytes, kind,
// moves (8 each), the number of used ranges (4) and for each its offset from the
// heap's address and size (8 each).
type message struct {
	op     op
	number uint64 // of the move, counted by the source
	floor  uint64 // the source asks no more about moves to this machine below it

	transfer uint64 // of the bulk transfer
	proclet  proclet.Description
}

const maxRanges = 1 << 16

func (m *message) append(b []byte) []byte {
	b = append(b, byte(m.op))
	b = put(b, m.number, m.floor)
	if m.op != opAnnounce {
		return b
	}
	d := &m.proclet
	b = put(b, m.transfer, d.ID.Addr, d.ID.Gen, d.Capacity, d.Mapped, d.Kind, d.Moves)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(d.Used)))
	for _, r := range d.Used {
		b = put(b, uint64(r.Base)-d.ID.Addr, r.Size)
	}
	return b
}

func put(b []byte, fields ...uint64) []byte {
	for _, f := range fields {
		b = binary.LittleEndian.AppendUint64(b, f)
	}
	return b
}

// parseMessage reads what append wrote. The used ranges of what it returns are in
// order, apart from each other, and lie within the mapped part
// of a heap that lies in the heap area.
func parseMessage(b []byte) (message, error) {
	var m message
	if len(b) < 1 {
		return m, ErrMessage
	}
	m.op, b = op(b[0]), b[1:]
	ok := true
	take := func(fields ...*uint64) {
		for _, f := range fields {
			if len(b) < 8 {
				ok = false
				return
			}
			*f, b = binary.LittleEndian.Uint64(b), b[8:]
		}
	}
	take(&m.number, &m.floor)
	if m.op == opAnnounce {
		d := &m.proclet
		take(&m.transfer, &d.ID.Addr, &d.ID.Gen, &d.Capacity, &d.Mapped, &d.Kind, &d.Moves)
		if !ok || len(b) < 4 {
			return m, ErrMessage
		}
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		if n > maxRanges || !soundHeap(d) {
			return m, ErrMessage
		}
		for end := uint64(0); n > 0; n-- {
			var offset, size uint64
			take(&offset, &size)
			if !ok || offset < end || size == 0 || offset > d.Mapped || size > d.Mapped-offset {
				return m, ErrMessage
			}
			end = offset + size
			d.Used = append(d.Used, mm.Range{Base: mm.Virt(d.ID.Addr + offset), Size: size})
		}
	}
	if !ok || len(b) > 0 || m.op < opAnnounce || m.op > opAbort {
		return m, ErrMessage
	}
	return m, nil
}

func soundHeap(d *proclet.Description) bool {
	c := d.Capacity
	return c >= mm.PageSize && c&(c-1) == 0 && d.ID.Addr%c == 0 && d.ID.Gen != 0 &&
		d.Mapped <= c && d.Mapped%mm.PageSize == 0 &&
		mm.HeapArea.Contains(mm.Virt(d.ID.Addr)) && c <= uint64(mm.HeapArea.End())-d.ID.Addr
}
