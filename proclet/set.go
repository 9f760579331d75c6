package proclet

import (
	"iter"
	"reflect"
	"unsafe"
)

// Set is a set of keys in the proclet's heap: a [Map] without values, to which
// the same rules apply. The zero value is empty.
type Set[K comparable] struct {
	m Map[K, struct{}]
}

// Len returns the number of keys.
func (s *Set[K]) Len() int { return s.m.Len() }

// Has reports whether k is in the set. It allocates nothing.
func (s *Set[K]) Has(k K) bool { return s.m.Has(k) }

// Add adds a copy of k, unless it is there. ErrHeapFull leaves the set unchanged.
func (s *Set[K]) Add(t *Thread, k K) error {
	_, err := s.m.Entry(t, k)
	return err
}

// Delete removes k and reports whether it was there.
func (s *Set[K]) Delete(t *Thread, k K) bool { return s.m.Delete(t, k) }

// Clear removes all keys and gives their memory back.
func (s *Set[K]) Clear(t *Thread) { s.m.Clear(t) }

// All iterates over the keys in no particular order; see [Map.All].
func (s *Set[K]) All() iter.Seq[*K] {
	return func(yield func(*K) bool) {
		for n := s.m.next(0); n != nil; {
			place := n.place()
			if !yield(&(*node[K, struct{}])(unsafe.Pointer(n)).key) {
				return
			}
			n = s.m.next(place)
		}
	}
}

func (*Set[K]) container() containerType {
	c := (*Map[K, struct{}])(nil).container()
	c.self = reflect.TypeFor[Set[K]]()
	return c
}
