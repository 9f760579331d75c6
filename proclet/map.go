package proclet

import (
	"iter"
	"reflect"
	"unsafe"
)

// Map is a hash table in the proclet's heap. The zero value is empty. K is
// String or a type made of integers without padding; V may be what a field of a
// state type may be. Like a Go map it must not be used by several calls at once
// if one of them changes it. It owns its keys and values, so it must not be
// assigned to a second place.
//
// It grows and shrinks by one bucket at a time, so that no operation takes long,
// and entries stay where they are until they are deleted.
type Map[K comparable, V any] struct {
	_ [0]*K
	_ [0]*V // two Maps of different types are never converted
	mapHead
}

// node is an entry, which the bytes of a String that is its key follow. Code that
// does not know the types uses nodeLayout.
type node[K comparable, V any] struct {
	nodeHead
	key   K
	value V
}

// Len returns the number of entries.
func (m *Map[K, V]) Len() int {
	if m.table == nil {
		return 0
	}
	return int(m.table.n)
}

// Get returns a pointer to the value of k, or nil if it has none. The value may
// be changed in place; the pointer is valid until the entry is deleted. Get
// allocates nothing: look up a Go string with View.
func (m *Map[K, V]) Get(k K) *V {
	if m.table == nil {
		return nil
	}
	if n := m.find(hashKey(&k, m.table.seed), k); n != nil {
		return &n.value
	}
	return nil
}

// Has reports whether k has a value.
func (m *Map[K, V]) Has(k K) bool { return m.Get(k) != nil }

// Put gives k the value v. Both are copied into the heap, Strings included; the
// value that was there is freed. Slices and Maps in v must be empty: fill them
// in place, with Entry. ErrHeapFull leaves the map unchanged.
func (m *Map[K, V]) Put(t *Thread, k K, v V) error {
	hash, n := m.look(k)
	if n != nil {
		if text, ok := any(&v).(*String); ok { // it may fit where the old one is
			return any(&n.value).(*String).Set(t, text.s)
		}
	}
	o := ownershipOf[V]()
	if o != nil && o.counts || countsIn[K]() {
		if err := claimAll(t, &v); err != nil {
			return err
		}
		if countsIn[K]() && !m.Has(k) {
			if err := claimAll(t, &k); err != nil {
				return err
			}
			defer t.unclaim() // if another call has put k meanwhile
		}
		hash, n = m.look(k)
	}
	if err := o.adopt(t, unsafe.Pointer(&v)); err != nil {
		return err
	}
	if n != nil {
		o.release(t, unsafe.Pointer(&n.value))
		n.value = v
		return nil
	}
	n, err := m.add(t, k, hash)
	if err != nil {
		o.undo(t, unsafe.Pointer(&v))
		return err
	}
	n.value = v
	return nil
}

// Entry returns a pointer to the value of k, which becomes the zero value if
// there was none. See Get and Put.
func (m *Map[K, V]) Entry(t *Thread, k K) (*V, error) {
	hash, n := m.look(k)
	if n != nil {
		return &n.value, nil
	}
	if countsIn[K]() {
		if err := claimAll(t, &k); err != nil {
			return nil, err
		}
		if hash, n = m.look(k); n != nil { // another call has put k meanwhile
			t.unclaim()
			return &n.value, nil
		}
	}
	n, err := m.add(t, k, hash)
	if err != nil {
		return nil, err
	}
	return &n.value, nil
}

// Delete removes k and frees key and value. It reports whether k was there.
func (m *Map[K, V]) Delete(t *Thread, k K) bool {
	if m.table == nil {
		return false
	}
	h := t.heapOf()
	hash := hashKey(&k, m.table.seed)
	for p := m.table.bucket(hash); *p != nil; p = &(*p).next {
		n := (*node[K, V])(unsafe.Pointer(*p))
		if n.hash != hash || n.key != k {
			continue
		}
		*p = n.next
		if _, text := any(&k).(*String); !text {
			ownershipOf[K]().release(t, unsafe.Pointer(&n.key))
		}
		ownershipOf[V]().release(t, unsafe.Pointer(&n.value))
		h.Free(unsafe.Pointer(n))
		m.table.n--
		m.table.shrink(h)
		return true
	}
	return false
}

// Clear removes all entries and gives their memory back.
func (m *Map[K, V]) Clear(t *Thread) {
	m.release(t, ownerOfMap(reflect.TypeFor[K](), reflect.TypeFor[V]()))
	m.table = nil
}

// All iterates over the entries in no particular order. Meanwhile the map may be
// changed, by the body of the loop or by other calls while that waits: an entry
// that is there all the time is given exactly once, one that is deleted before its
// turn is not given, one that is added may be given or not.
func (m *Map[K, V]) All() iter.Seq2[*K, *V] {
	return func(yield func(*K, *V) bool) {
		for n := m.next(0); n != nil; {
			place := n.place() // n may be deleted
			if n := (*node[K, V])(unsafe.Pointer(n)); !yield(&n.key, &n.value) {
				return
			}
			n = m.next(place)
		}
	}
}

// Scan calls f for some entries and returns the cursor with which to go on; it
// starts with cursor 0 and is over when it returns 0. It goes on until f was
// called limit times or a little more often. The map may be changed between the
// calls, though not by f: an entry that is there all the time is given exactly
// once. Cursors are below 1<<32.
func (m *Map[K, V]) Scan(cursor uint64, limit int, f func(*K, *V)) (next uint64) {
	if m.table == nil || cursor >= 1<<32 {
		return 0
	}
	pos := uint32(cursor)
	for given := 0; ; {
		end, last := m.table.span(pos)
		for n := *m.table.bucket(reverse(pos)); n != nil; n = n.next {
			if r := reverse(n.hash); r >= pos && r <= end {
				n := (*node[K, V])(unsafe.Pointer(n))
				f(&n.key, &n.value)
				given++
			}
		}
		if last {
			return 0
		}
		if pos = end + 1; given >= limit {
			return uint64(pos)
		}
	}
}

// look returns the hash of k, which means nothing while there is no table, and the
// entry of k, or nil.
func (m *Map[K, V]) look(k K) (hash uint32, n *node[K, V]) {
	if m.table == nil {
		return 0, nil
	}
	hash = hashKey(&k, m.table.seed)
	return hash, m.find(hash, k)
}

// find returns the entry of k, which hashes to hash, or nil.
func (m *Map[K, V]) find(hash uint32, k K) *node[K, V] {
	for n := *m.table.bucket(hash); n != nil; n = n.next {
		if n.hash == hash {
			if n := (*node[K, V])(unsafe.Pointer(n)); n.key == k {
				return n
			}
		}
	}
	return nil
}

// add adds an entry for k, which has none and is claimed, with the zero value. look
// has given its hash.
func (m *Map[K, V]) add(t *Thread, k K, hash uint32) (*node[K, V], error) {
	h := t.heapOf()
	if m.table == nil {
		table, err := newMapTable(h)
		if err != nil {
			return nil, err
		}
		m.table = table
		hash = hashKey(&k, table.seed)
	}
	size := unsafe.Sizeof(node[K, V]{})
	text, _ := any(&k).(*String)
	if text != nil {
		size += uintptr(len(text.s))
	}
	p, err := h.Alloc(uint64(size))
	if err != nil {
		return nil, err
	}
	n := (*node[K, V])(p)
	if text != nil {
		*text = placeString(unsafe.Add(p, unsafe.Sizeof(*n)), text.s)
	} else if err := ownershipOf[K]().adopt(t, unsafe.Pointer(&k)); err != nil {
		h.Free(p)
		return nil, err
	}
	*n = node[K, V]{nodeHead: nodeHead{hash: hash}, key: k}
	b := m.table.bucket(n.hash)
	n.twin = 1
	for o := *b; o != nil; o = o.next {
		if o.hash == n.hash && o.twin >= n.twin {
			n.twin = o.twin + 1
		}
	}
	n.next, *b = *b, &n.nodeHead
	m.table.n++
	m.table.grow(h)
	return n, nil
}

// hashKey hashes a key: the contents of a String, the bytes of anything else.
func hashKey[K comparable](k *K, seed uint64) uint32 {
	var h uint64
	if s, ok := any(k).(*String); ok {
		h = hashBytes(s.s, seed)
	} else {
		h = hashBytes(unsafe.Slice((*byte)(unsafe.Pointer(k)), unsafe.Sizeof(*k)), seed)
	}
	return uint32(h>>32) ^ uint32(h)
}
