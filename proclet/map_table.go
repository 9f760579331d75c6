package proclet

import (
	"math/bits"
	"math/rand/v2"
	"reflect"
	"unsafe"

	"nuos/mm"
)

// The table of a Map is linear hashing (Litwin, 1980): with 1<<l <= buckets <
// 1<<(l+1), a hash belongs to the bucket that its l+1 low bits name, or, as long as that is
// not there yet, to the one that its l low bits name. One more bucket takes its
// entries from exactly one other. Every bucket so holds the hashes with some
// ending of l or l+1 bits; read backwards, a range of numbers. Going through
// those ranges in order visits every entry once, however many buckets come and
// go in between.
type mapTable struct {
	n       uint64
	seed    uint64
	buckets uint32
	_       uint32
	first   [firstBuckets]*nodeHead
	rest    [29]*[1 << 31]*nodeHead // rest[i] has firstBuckets<<i buckets
}

type mapHead struct {
	table *mapTable
}

type nodeHead struct {
	next *nodeHead
	hash uint32
	twin uint32 // tells entries of the same hash from each other; from 1
}

const firstBuckets = 8

func newMapTable(h *mm.Heap) (*mapTable, error) {
	p, err := h.Alloc(uint64(unsafe.Sizeof(mapTable{})))
	if err != nil {
		return nil, err
	}
	t := (*mapTable)(p)
	t.seed = rand.Uint64() // lies in the heap, and so moves with the entries
	t.buckets = firstBuckets
	return t, nil
}

// at returns bucket i.
func (t *mapTable) at(i uint32) **nodeHead {
	if i < firstBuckets {
		return &t.first[i]
	}
	k := bits.Len32(i / firstBuckets) // i is in rest[k-1], which starts with bucket firstBuckets<<(k-1)
	return &t.rest[k-1][i-firstBuckets<<(k-1)]
}

// low returns the largest power of two that is not above the number of buckets.
func (t *mapTable) low() uint32 { return 1 << (bits.Len32(t.buckets) - 1) }

// index returns the bucket of a hash.
func (t *mapTable) index(hash uint32) uint32 {
	low := t.low()
	if i := hash & (2*low - 1); i < t.buckets {
		return i
	}
	return hash & (low - 1)
}

func (t *mapTable) bucket(hash uint32) **nodeHead { return t.at(t.index(hash)) }

// span returns the last hash, read backwards, of the bucket to which pos, read
// backwards, belongs, and whether that is the last bucket in this order.
func (t *mapTable) span(pos uint32) (end uint32, last bool) {
	i, low := t.index(reverse(pos)), t.low()
	width := bits.Len32(low) - 1 // how many bits the hashes of the bucket have in common
	if i >= low || i+low < t.buckets {
		width++
	}
	end = pos | ^uint32(0)>>width
	return end, end == ^uint32(0)
}

// place is where the entry comes in an iteration. It never changes.
func (n *nodeHead) place() uint64 { return uint64(reverse(n.hash))<<32 | uint64(n.twin) }

// next returns the entry that comes next after a place, or nil.
func (m *mapHead) next(after uint64) (best *nodeHead) {
	t := m.table
	if t == nil {
		return nil
	}
	for pos := uint32(after >> 32); ; {
		end, last := t.span(pos)
		least := ^uint64(0)
		for n := *t.bucket(reverse(pos)); n != nil; n = n.next {
			if p := n.place(); p > after && p < least {
				best, least = n, p
			}
		}
		if best != nil || last {
			return best
		}
		pos = end + 1
	}
}

func reverse(hash uint32) uint32 { return bits.Reverse32(hash) }

// grow adds a bucket if there are more entries than buckets. Without memory for
// that the chains just become longer.
func (t *mapTable) grow(h *mm.Heap) {
	if t.n <= uint64(t.buckets) || t.buckets == 1<<31 {
		return
	}
	low := t.low()
	if t.buckets == low {
		p, err := h.Alloc(uint64(low) * 8)
		if err != nil {
			return
		}
		t.rest[bits.Len32(low/firstBuckets)-1] = (*[1 << 31]*nodeHead)(p)
	}
	to := t.at(t.buckets)
	for from := t.at(t.buckets - low); *from != nil; {
		n := *from
		if n.hash&low == 0 {
			from = &n.next
			continue
		}
		*from = n.next
		n.next, *to = *to, n
	}
	t.buckets++
}

// shrink removes up to four buckets, as long as there are more than four times as
// many as entries: so it keeps up with deletions.
func (t *mapTable) shrink(h *mm.Heap) {
	for i := 0; i < 4 && t.n < uint64(t.buckets)/4 && t.buckets > firstBuckets; i++ {
		t.buckets--
		low := t.low()
		from, to := t.at(t.buckets), t.at(t.buckets-low)
		for *to != nil {
			to = &(*to).next
		}
		*to = *from
		*from = nil
		if t.buckets == low {
			rest := &t.rest[bits.Len32(low/firstBuckets)-1]
			h.Free(unsafe.Pointer(*rest))
			*rest = nil
		}
	}
}

// nodeLayout says where in an entry key and value are.
type nodeLayout struct {
	key, value uintptr
}

// layoutOf returns the layout of node[key, elem].
func layoutOf(key, elem reflect.Type) (l nodeLayout) {
	align := func(n uintptr, t reflect.Type) uintptr {
		a := uintptr(t.Align())
		return (n + a - 1) &^ (a - 1)
	}
	l.key = align(unsafe.Sizeof(nodeHead{}), key)
	l.value = align(l.key+key.Size(), elem)
	return l
}

// mapOwner is the owner of Maps from key to elem.
type mapOwner struct {
	key, elem *element
	layout    nodeLayout
}

func ownerOfMap(key, elem reflect.Type) *mapOwner {
	return &mapOwner{elementOf(key), elementOf(elem), layoutOf(key, elem)}
}

func (*Map[K, V]) container() containerType {
	key, elem := reflect.TypeFor[K](), reflect.TypeFor[V]()
	return containerType{self: reflect.TypeFor[Map[K, V]](), hashed: key, elem: elem, owner: ownerOfMap(key, elem)}
}

func (*mapOwner) adopt(t *Thread, p unsafe.Pointer) error {
	m := (*mapHead)(p)
	if m.table != nil && m.table.n != 0 {
		return errNotEmpty
	}
	m.table = nil // the table of an emptied Map is its owner's
	return nil
}

func (o *mapOwner) release(t *Thread, p unsafe.Pointer) { (*mapHead)(p).release(t, o) }

// release gives back the memory of the table and of everything in it.
func (m *mapHead) release(t *Thread, o *mapOwner) {
	table := m.table
	if table == nil {
		return
	}
	h := t.heapOf()
	keys, values := o.key.ownership(), o.elem.ownership()
	if o.key.typ == stringType {
		keys = nil // they are in the nodes
	}
	for i := range table.buckets {
		for n := *table.at(i); n != nil; {
			next := n.next
			keys.release(t, unsafe.Add(unsafe.Pointer(n), o.layout.key))
			values.release(t, unsafe.Add(unsafe.Pointer(n), o.layout.value))
			h.Free(unsafe.Pointer(n))
			n = next
		}
	}
	for _, rest := range table.rest {
		if rest != nil {
			h.Free(unsafe.Pointer(rest))
		}
	}
	h.Free(unsafe.Pointer(table))
}
