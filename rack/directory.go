package rack

import (
	"cmp"
	"encoding/binary"
	"slices"

	"nuos/mm"
)

// directory is what the directory machine knows besides the view. It is a pure
// state machine: commands in, answers out, no clock, no network, no locks; the
// same commands give the same state. What must outlive the directory is in the
// view and in every member's names; all of this is rebuilt from what members
// report.
type directory struct {
	epoch     uint64
	leases    []lease
	leasedTo  uint64 // bytes of the heap area handed out or skipped
	locations map[uint64]Location
}

// lease is a part of the heap area that one incarnation divides as it likes.
type lease struct {
	Range   mm.Range
	Machine MachineID
}

// newDirectory begins in an epoch. All of the heap area that former
// directories may have leased is left alone.
func newDirectory(epoch, leased uint64) *directory {
	return &directory{epoch: epoch, leasedTo: leased, locations: map[uint64]Location{}}
}

const (
	leaseUnit  = 1 << 30  // leases are multiples of it, and so aligned
	leaseChunk = 16 << 30 // by how much View.Leased is raised
)

// lease hands out size bytes, aligned to their size, a power of two of at
// least leaseUnit. limit is View.Leased; need is by how much that must be
// raised first.
func (d *directory) lease(to MachineID, size, limit uint64) (r mm.Range, need uint64, err error) {
	at := (d.leasedTo + size - 1) &^ (size - 1)
	end := at + size
	if size > mm.HeapArea.Size || end > mm.HeapArea.Size {
		return r, 0, ErrNoAddresses
	}
	if end > limit {
		return r, min(max(end-limit, leaseChunk), mm.HeapArea.Size-limit), nil
	}
	d.leasedTo = end
	r = mm.Range{Base: mm.HeapArea.Base + mm.Virt(at), Size: size}
	d.leases = append(d.leases, lease{r, to})
	return r, 0, nil
}

// publish takes locations; of two for the same proclet the one with more moves
// stays. To forget a location is to forget the earlier ones as well.
func (d *directory) publish(batch []located) {
	for _, l := range batch {
		old, known := d.locations[l.id]
		switch {
		case l.forget:
			if known && old.Moves <= l.at.Moves {
				delete(d.locations, l.id)
			}
		case !known || l.at.Moves > old.Moves || l.at.Moves == old.Moves && old.Machine == l.at.Machine:
			d.locations[l.id] = l.at
		}
	}
}

// merge takes a member's report.
func (d *directory) merge(leases []lease, locations []located) {
	for _, l := range leases {
		if !slices.Contains(d.leases, l) {
			d.leases = append(d.leases, l)
		}
	}
	slices.SortFunc(d.leases, func(a, b lease) int { return cmp.Compare(a.Range.Base, b.Range.Base) })
	d.publish(locations)
}

// located is a location as it travels: id 8, moves 8, machine 4, forget 4.
type located struct {
	id     uint64
	at     Location
	forget bool
}

const locatedLen = 24

func appendLocated(b []byte, l located) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, l.id)
	b = le.AppendUint64(b, l.at.Moves)
	b = le.AppendUint32(b, uint32(l.at.Machine))
	var forget uint32
	if l.forget {
		forget = 1
	}
	return le.AppendUint32(b, forget)
}

func parseLocated(b []byte) []located {
	le := binary.LittleEndian
	list := make([]located, 0, len(b)/locatedLen)
	for ; len(b) >= locatedLen; b = b[locatedLen:] {
		list = append(list, located{
			id:     le.Uint64(b),
			at:     Location{MachineID(le.Uint32(b[16:])), le.Uint64(b[8:])},
			forget: le.Uint32(b[20:]) != 0,
		})
	}
	return list
}
