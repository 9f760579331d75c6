package proclet

import (
	"iter"
	"reflect"
	"unsafe"
)

// OrderedMap is a map in the proclet's heap whose entries are in the order of
// their keys. The zero value is empty. K is a number, [String], or what a field of
// a state type may be and has a method Compare(K) int, which must neither wait nor
// change anything; V may be what a field of a state type may be. It owns keys and
// values like a [Map], and like that must not be used by several calls at once if
// one of them changes it. An operation takes time in proportion to the logarithm of the number of
// entries, and entries stay where they are until they are deleted.
type OrderedMap[K, V any] struct {
	_ [0]*K
	_ [0]*V
	orderedHead
}

type orderedHead struct {
	list *skipList
}

// Len returns the number of entries.
func (m *OrderedMap[K, V]) Len() int {
	if m.list == nil {
		return 0
	}
	return int(m.list.n)
}

// Get returns a pointer to the value of k, or nil if it has none. The value may
// be changed in place; the pointer is valid until the entry is deleted. Get
// allocates nothing: look up a Go string with View.
func (m *OrderedMap[K, V]) Get(k K) *V {
	if n := m.ceiling(&k); n != nil && compare(m.list.order, &n.key, &k) == 0 {
		return &n.value
	}
	return nil
}

// Has reports whether k has a value.
func (m *OrderedMap[K, V]) Has(k K) bool { return m.Get(k) != nil }

// Put gives k the value v. Both are copied into the heap, Strings included; the
// value that was there is freed. Containers in v must be empty: fill them in
// place, with Entry. ErrHeapFull leaves the map unchanged.
func (m *OrderedMap[K, V]) Put(t *Thread, k K, v V) error {
	if err := claimAll(t, &v); err != nil {
		return err
	}
	if err := ownershipOf[V]().adopt(t, unsafe.Pointer(&v)); err != nil {
		return err
	}
	p, err := m.Entry(t, k)
	if err != nil {
		ownershipOf[V]().undo(t, unsafe.Pointer(&v))
		return err
	}
	ownershipOf[V]().release(t, unsafe.Pointer(p))
	*p = v
	return nil
}

// Entry returns a pointer to the value of k, which becomes the zero value if
// there was none. See Get and Put.
func (m *OrderedMap[K, V]) Entry(t *Thread, k K) (*V, error) {
	if countsIn[K]() && !m.Has(k) {
		if err := claimAll(t, &k); err != nil {
			return nil, err
		}
		defer t.unclaim() // if another call has put k meanwhile
	}
	if m.list == nil {
		l, err := newSkipList(t, orderingOf[K]())
		if err != nil {
			return nil, err
		}
		m.list = l
	}
	m.sweep(t)
	l := m.list
	var path [maxHeight]**skipHead
	for i := range path {
		path[i] = &l.first[i] // for levels that were not used yet
	}
	_, at := m.search(&k, &path)
	if at != nil && compare(l.order, &at.key, &k) == 0 {
		return &at.value, nil
	}
	height := l.toss()
	var node skipNode[K, V]
	p, err := t.heapOf().Alloc(uint64(unsafe.Offsetof(node.above) + uintptr(height-1)*unsafe.Sizeof(node.above[0])))
	if err != nil {
		return nil, err
	}
	n := (*skipNode[K, V])(p)
	if err := ownershipOf[K]().adopt(t, unsafe.Pointer(&k)); err != nil {
		t.heapOf().Free(p)
		return nil, err
	}
	n.key, n.height = k, uint64(height)
	for i := range height {
		*m.link(&n.skipHead, i), *path[i] = *path[i], &n.skipHead
	}
	if n.next == nil {
		n.prev, l.last = l.last, &n.skipHead
	} else {
		n.prev, n.next.prev = n.next.prev, &n.skipHead
	}
	l.height = max(l.height, uint8(height))
	l.n++
	return &n.value, nil
}

// Delete removes k and frees key and value. It reports whether k was there.
func (m *OrderedMap[K, V]) Delete(t *Thread, k K) bool {
	if m.list == nil {
		return false
	}
	m.sweep(t)
	var path [maxHeight]**skipHead
	_, n := m.search(&k, &path)
	if n == nil || compare(m.list.order, &n.key, &k) != 0 {
		return false
	}
	for i := 1; i < int(n.height); i++ {
		*path[i] = *m.link(&n.skipHead, i)
	}
	m.list.bury(&n.skipHead)
	m.sweep(t)
	return true
}

// Clear removes all entries and gives their memory back, if nobody iterates over
// them; otherwise later.
func (m *OrderedMap[K, V]) Clear(t *Thread) {
	switch l := m.list; {
	case l == nil:
	case l.iterating.Load() == 0:
		m.owner().release(t, unsafe.Pointer(&m.orderedHead))
		m.list = nil
	default:
		for n := alive(l.first[0]); n != nil; n = alive(n) {
			l.bury(n)
		}
		clear(l.first[1:])
	}
}

// First returns the entry with the least key, or nil, nil. The key must not be
// changed; for the pointers see Get.
func (m *OrderedMap[K, V]) First() (*K, *V) {
	return m.entry(m.first())
}

// Last returns the entry with the greatest key, or nil, nil.
func (m *OrderedMap[K, V]) Last() (*K, *V) {
	return m.entry(m.last())
}

// Ceiling returns the entry with the least key that is not less than k, or nil,
// nil.
func (m *OrderedMap[K, V]) Ceiling(k K) (*K, *V) { return m.entry(m.ceiling(&k)) }

// Floor returns the entry with the greatest key that is not greater than k, or
// nil, nil.
func (m *OrderedMap[K, V]) Floor(k K) (*K, *V) { return m.entry(m.floor(&k)) }

func (m *OrderedMap[K, V]) entry(n *skipNode[K, V]) (*K, *V) {
	if n == nil {
		return nil, nil
	}
	return &n.key, &n.value
}

func (m *OrderedMap[K, V]) first() *skipNode[K, V] {
	if m.list == nil {
		return nil
	}
	return (*skipNode[K, V])(unsafe.Pointer(alive(m.list.first[0])))
}

func (m *OrderedMap[K, V]) last() *skipNode[K, V] {
	if m.list == nil {
		return nil
	}
	return (*skipNode[K, V])(unsafe.Pointer(aliveBefore(m.list.last)))
}

// All iterates over the entries in ascending order. Meanwhile the map may be
// changed, by the body of the loop or by other calls while that waits: the
// iteration goes on with the key that is next to the one at hand then, whether
// that is still there or not.
func (m *OrderedMap[K, V]) All() iter.Seq2[*K, *V] {
	return func(yield func(*K, *V) bool) { m.ascend(m.first(), nil, yield) }
}

// From iterates over the entries whose keys are not less than k in ascending
// order; see All.
func (m *OrderedMap[K, V]) From(k K) iter.Seq2[*K, *V] {
	return func(yield func(*K, *V) bool) { m.ascend(m.ceiling(&k), nil, yield) }
}

// Range iterates over the entries whose keys are not less than from, and less
// than to, in ascending order; see All.
func (m *OrderedMap[K, V]) Range(from, to K) iter.Seq2[*K, *V] {
	return func(yield func(*K, *V) bool) { m.ascend(m.ceiling(&from), &to, yield) }
}

// Backward iterates over the entries in descending order; see All.
func (m *OrderedMap[K, V]) Backward() iter.Seq2[*K, *V] {
	return func(yield func(*K, *V) bool) { m.descend(m.last(), yield) }
}

// BackwardFrom iterates over the entries whose keys are not greater than k in
// descending order; see All.
func (m *OrderedMap[K, V]) BackwardFrom(k K) iter.Seq2[*K, *V] {
	return func(yield func(*K, *V) bool) { m.descend(m.floor(&k), yield) }
}

// ascend gives the entries from n on, up to the first that is not less than to.
func (m *OrderedMap[K, V]) ascend(n *skipNode[K, V], to *K, yield func(*K, *V) bool) {
	if n == nil {
		return
	}
	l := m.list
	l.iterating.Add(1)
	defer l.iterating.Add(-1) // also if the body panics
	for n != nil && (to == nil || compare(l.order, &n.key, to) < 0) && yield(&n.key, &n.value) {
		next := (*skipNode[K, V])(unsafe.Pointer(alive(n.next)))
		if m.again(n, next) {
			next = (*skipNode[K, V])(unsafe.Pointer(alive(next.next)))
		}
		n = next
	}
}

// descend gives the entries from n back to the first.
func (m *OrderedMap[K, V]) descend(n *skipNode[K, V], yield func(*K, *V) bool) {
	if n == nil {
		return
	}
	l := m.list
	l.iterating.Add(1)
	defer l.iterating.Add(-1)
	for n != nil && yield(&n.key, &n.value) {
		next := (*skipNode[K, V])(unsafe.Pointer(aliveBefore(n.prev)))
		if m.again(n, next) {
			next = (*skipNode[K, V])(unsafe.Pointer(aliveBefore(next.prev)))
		}
		n = next
	}
}

// again reports whether next has the key of n, which an iteration has given: it
// was deleted and put again.
func (m *OrderedMap[K, V]) again(n, next *skipNode[K, V]) bool {
	return n.dead != nil && next != nil && compare(m.list.order, &n.key, &next.key) == 0
}

// link returns the link of n at a level; of the list itself if n is nil.
func (m *OrderedMap[K, V]) link(n *skipHead, level int) **skipHead {
	switch {
	case n == nil:
		return &m.list.first[level]
	case level == 0:
		return &n.next
	}
	return &(*skipNode[K, V])(unsafe.Pointer(n)).above[level-1]
}

// search returns the first entry, not dead, whose key is not less than k, and the
// one linked before it, or nil. The dead with key k count as less. In path, unless that is nil,
// it stores the links of all levels that lead past this place.
func (m *OrderedMap[K, V]) search(k *K, path *[maxHeight]**skipHead) (before *skipHead, at *skipNode[K, V]) {
	l := m.list
	var next *skipHead
	for level := int(l.height) - 1; level >= 0; level-- {
		next = *m.link(before, level)
		for next != nil {
			if c := compare(l.order, &(*skipNode[K, V])(unsafe.Pointer(next)).key, k); c > 0 || c == 0 && next.dead == nil {
				break
			}
			before, next = next, *m.link(next, level)
		}
		if path != nil {
			path[level] = m.link(before, level)
		}
	}
	return before, (*skipNode[K, V])(unsafe.Pointer(alive(next)))
}

// ceiling returns the first entry whose key is not less than k, or nil.
func (m *OrderedMap[K, V]) ceiling(k *K) *skipNode[K, V] {
	if m.list == nil {
		return nil
	}
	_, n := m.search(k, nil)
	return n
}

// floor returns the last entry whose key is not greater than k, or nil.
func (m *OrderedMap[K, V]) floor(k *K) *skipNode[K, V] {
	if m.list == nil {
		return nil
	}
	before, n := m.search(k, nil)
	if n != nil && compare(m.list.order, &n.key, k) == 0 {
		return n
	}
	return (*skipNode[K, V])(unsafe.Pointer(aliveBefore(before)))
}

func (m *OrderedMap[K, V]) owner() *skipOwner {
	return ownerOfSkip(reflect.TypeFor[K](), reflect.TypeFor[V]())
}

// sweep frees what was deleted while somebody iterated.
func (m *OrderedMap[K, V]) sweep(t *Thread) {
	if m.list.dead != nil {
		m.list.sweep(t, m.owner())
	}
}

func (*OrderedMap[K, V]) container() containerType {
	key, elem := reflect.TypeFor[K](), reflect.TypeFor[V]()
	return containerType{
		self: reflect.TypeFor[OrderedMap[K, V]](), ordered: key, order: orderingOf[K](), elem: elem, owner: ownerOfSkip(key, elem),
	}
}
