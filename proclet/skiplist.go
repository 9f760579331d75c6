package proclet

import (
	"math/bits"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"unsafe"
)

// An OrderedMap is a skip list (Pugh, "Skip lists: a probabilistic alternative to
// balanced trees", 1990). An entry is one object of the heap that stays where it
// is, so that pointers to values and iterations survive other changes, which a
// balanced tree of blocks could not offer.
//
// An entry that is deleted while somebody iterates over the list stays linked with
// its neighbours, for an iteration that stands at it, until something is changed
// when nobody iterates.
type skipList struct {
	first     [maxHeight]*skipHead
	last      *skipHead
	n         uint64 // entries that are not dead
	random    uint64 // state of a generator; never 0
	dead      *skipHead
	iterating atomic.Int32 // iterations under way
	height    uint8        // of the highest entry so far
	order     ordering
}

// skipHead begins an entry. Key and value follow, and the links of the levels
// above the lowest.
type skipHead struct {
	next, prev *skipHead
	dead       *skipHead // the dead entry that died before; itself if there is none; nil: alive
	height     uint64    // levels that the entry is linked at
}

const maxHeight = 16 // enough for 4^16 entries

// skipNode is an entry. Only as many links are allocated as it has levels.
type skipNode[K, V any] struct {
	skipHead
	key   K
	value V
	above [maxHeight - 1]*skipHead
}

// toss returns the height of a new entry: each is a fourth as frequent as the one
// below.
func (l *skipList) toss() int {
	l.random ^= l.random << 13
	l.random ^= l.random >> 7
	l.random ^= l.random << 17
	return min(1+bits.TrailingZeros64(l.random)/2, maxHeight)
}

func newSkipList(t *Thread, o ordering) (*skipList, error) {
	p, err := t.heapOf().Alloc(uint64(unsafe.Sizeof(skipList{})))
	if err != nil {
		return nil, err
	}
	l := (*skipList)(p)
	l.order, l.random = o, rand.Uint64()|1
	return l, nil
}

// alive returns n, or the entry that comes after it and is not dead.
func alive(n *skipHead) *skipHead {
	for n != nil && n.dead != nil {
		n = n.next
	}
	return n
}

// aliveBefore returns n, or the entry that comes before it and is not dead.
func aliveBefore(n *skipHead) *skipHead {
	for n != nil && n.dead != nil {
		n = n.prev
	}
	return n
}

// bury makes n, which is linked at the lowest level only, dead.
func (l *skipList) bury(n *skipHead) {
	if l.dead == nil {
		n.dead = n
	} else {
		n.dead = l.dead
	}
	l.dead = n
	l.n--
}

// skipOwner is the owner of OrderedMaps from key to elem.
type skipOwner struct {
	key, elem      *element
	keyAt, valueAt uintptr
}

func ownerOfSkip(key, elem reflect.Type) *skipOwner {
	align := func(n uintptr, t reflect.Type) uintptr {
		a := uintptr(t.Align())
		return (n + a - 1) &^ (a - 1)
	}
	o := &skipOwner{key: elementOf(key), elem: elementOf(elem)}
	o.keyAt = align(unsafe.Sizeof(skipHead{}), key)
	o.valueAt = align(o.keyAt+key.Size(), elem)
	return o
}

// sweep frees the dead entries, unless somebody iterates.
func (l *skipList) sweep(t *Thread, o *skipOwner) {
	if l.iterating.Load() != 0 {
		return
	}
	for n := l.dead; n != nil; {
		before := n.dead
		if n.prev == nil {
			l.first[0] = n.next
		} else {
			n.prev.next = n.next
		}
		if n.next == nil {
			l.last = n.prev
		} else {
			n.next.prev = n.prev
		}
		o.free(t, n)
		if before == n {
			break
		}
		n = before
	}
	l.dead = nil
}

// free frees an entry.
func (o *skipOwner) free(t *Thread, n *skipHead) {
	o.key.ownership().release(t, unsafe.Add(unsafe.Pointer(n), o.keyAt))
	o.elem.ownership().release(t, unsafe.Add(unsafe.Pointer(n), o.valueAt))
	t.heapOf().Free(unsafe.Pointer(n))
}

func (*skipOwner) adopt(t *Thread, p unsafe.Pointer) error {
	m := (*orderedHead)(p)
	if m.list != nil && m.list.n != 0 {
		return errNotEmpty
	}
	m.list = nil // the list of an emptied map is its owner's
	return nil
}

func (o *skipOwner) release(t *Thread, p unsafe.Pointer) {
	l := (*orderedHead)(p).list
	if l == nil {
		return
	}
	for n := l.first[0]; n != nil; {
		next := n.next
		o.free(t, n)
		n = next
	}
	t.heapOf().Free(unsafe.Pointer(l))
}
