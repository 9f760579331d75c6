package proclet

import "iter"

// Map is a hash table in the proclet's heap. The zero value is empty. K may be
// a String, or any fixed-size type without padding, floats and references into the heap;
// V may be what a state type may be. Not safe for use by several calls at once
// if one of them changes it.
type Map[K comparable, V any] struct {
	root uint64
	n    uint64
}

// Len returns the number of entries.
func (m *Map[K, V]) Len() int { return int(m.n) }

// Get returns a pointer to the value of k, or nil. It allocates nothing. The
// pointer is valid until the map is changed; the value may be changed through
// it in place.
func (m *Map[K, V]) Get(k K) *V { panic("proclet: being written") }

// Has reports whether k has a value.
func (m *Map[K, V]) Has(k K) bool { return m.Get(k) != nil }

// Put gives k the value v. Both are copied into the heap, Strings included; the
// value that was there is freed. ErrHeapFull leaves the map unchanged.
func (m *Map[K, V]) Put(t *Thread, k K, v V) error { panic("proclet: being written") }

// Entry returns a pointer to the value of k, which becomes the zero value if
// there was none.
func (m *Map[K, V]) Entry(t *Thread, k K) (*V, error) { panic("proclet: being written") }

// Delete removes k and frees key and value. It reports whether k was there.
func (m *Map[K, V]) Delete(t *Thread, k K) bool { panic("proclet: being written") }

// Clear removes all entries and gives their memory back.
func (m *Map[K, V]) Clear(t *Thread) { panic("proclet: being written") }

// All iterates over the entries in no particular order. The map must not be
// changed meanwhile, except for the entry at hand, which may be deleted.
func (m *Map[K, V]) All() iter.Seq2[*K, *V] { panic("proclet: being written") }

// Scan calls f for entries from cursor on and returns the cursor to go on with, 0 at the end. Entries that are there during the whole iteration are
// given at least once, whatever is put and deleted between the calls.
func (m *Map[K, V]) Scan(cursor uint64, limit int, f func(*K, *V)) (next uint64) {
	panic("proclet: being written")
}
