package proclet

import "iter"

// Slice is a growable array whose elements lie in the proclet's heap. The zero
// value is empty. T may be what a state type may be. Like a Go slice it is not
// safe for use by several calls at once if one of them changes it.
type Slice[T any] struct {
	addr     uint64
	len, cap uint32
}

// Len returns the number of elements.
func (s *Slice[T]) Len() int { return int(s.len) }

// At returns a pointer to element i, valid until the slice grows. It panics if
// i is out of range.
func (s *Slice[T]) At(i int) *T { panic("proclet: being written") }

// Set replaces element i by a copy of v, whose Strings are copied too.
func (s *Slice[T]) Set(t *Thread, i int, v T) error { panic("proclet: being written") }

// Append appends copies of vs. ErrHeapFull leaves s unchanged.
func (s *Slice[T]) Append(t *Thread, vs ...T) error { panic("proclet: being written") }

// Truncate shortens s to n elements and frees what the others owned.
func (s *Slice[T]) Truncate(t *Thread, n int) { panic("proclet: being written") }

// Free empties s and gives its memory back.
func (s *Slice[T]) Free(t *Thread) { panic("proclet: being written") }

// All iterates over index and element.
func (s *Slice[T]) All() iter.Seq2[int, *T] { panic("proclet: being written") }
