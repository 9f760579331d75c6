package proclet

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"unsafe"

	"nuos/mm"
)

// Slice is a growable array whose elements lie in the proclet's heap. The zero
// value is empty. T may be what a field of a state type may be. Like a Go slice
// it must not be used by several calls at once if one of them changes it. It owns
// its elements, so it must not be assigned to a second place.
type Slice[T any] struct {
	_ [0]*T // two Slices of different types are never converted
	sliceHead
}

type sliceHead struct {
	data     unsafe.Pointer
	len, cap int
}

// Len returns the number of elements.
func (s *Slice[T]) Len() int { return s.len }

// At returns a pointer to element i, valid until the slice grows or is freed. It
// panics if i is out of range.
func (s *Slice[T]) At(i int) *T {
	if uint(i) >= uint(s.len) {
		panic(fmt.Sprintf("proclet: index %d of a Slice of %d", i, s.len))
	}
	return s.at(i)
}

func (s *Slice[T]) at(i int) *T {
	var zero T
	return (*T)(unsafe.Add(s.data, uintptr(i)*unsafe.Sizeof(zero)))
}

// Set replaces element i by a copy of v, Strings included; what was there is
// freed. ErrHeapFull leaves the slice unchanged.
func (s *Slice[T]) Set(t *Thread, i int, v T) error {
	if err := claimAll(t, &v); err != nil {
		return err
	}
	p := s.At(i)
	o := ownershipOf[T]()
	if o == nil {
		*p = v
		return nil
	}
	if err := o.adopt(t, unsafe.Pointer(&v)); err != nil {
		return err
	}
	o.release(t, unsafe.Pointer(p))
	*p = v
	return nil
}

// Append appends copies of vs, Strings included. ErrHeapFull leaves the slice
// unchanged.
func (s *Slice[T]) Append(t *Thread, vs ...T) error {
	for i := range vs {
		if err := claimAll(t, &vs[i]); err != nil {
			return err
		}
	}
	h := t.heapOf()
	o := ownershipOf[T]()
	var zero T
	if err := s.grow(h, s.len+len(vs), unsafe.Sizeof(zero)); err != nil {
		return err
	}
	for i := range vs {
		v := vs[i]
		if err := o.adopt(t, unsafe.Pointer(&v)); err != nil {
			for j := range i {
				o.undo(t, unsafe.Pointer(s.at(s.len+j)))
			}
			return err
		}
		*s.at(s.len + i) = v
	}
	s.len += len(vs)
	return nil
}

// Truncate shortens s to n elements and frees what the others owned. It panics
// if s has fewer.
func (s *Slice[T]) Truncate(t *Thread, n int) {
	if uint(n) > uint(s.len) {
		panic(fmt.Sprintf("proclet: Truncate to %d of a Slice of %d", n, s.len))
	}
	if o := ownershipOf[T](); o != nil {
		for i := n; i < s.len; i++ {
			o.release(t, unsafe.Pointer(s.at(i)))
		}
	}
	s.len = n
}

// Insert puts copies of vs, Strings included, before element i. It panics if i is
// out of range. ErrHeapFull leaves the slice unchanged.
func (s *Slice[T]) Insert(t *Thread, i int, vs ...T) error {
	if uint(i) > uint(s.len) {
		panic(fmt.Sprintf("proclet: Insert at %d of a Slice of %d", i, s.len))
	}
	n := s.len
	if err := s.Append(t, vs...); err != nil {
		return err
	}
	rotate(unsafe.Slice(s.at(0), s.len)[i:], n-i)
	return nil
}

// rotate moves the first n elements of s behind the others.
func rotate[T any](s []T, n int) {
	slices.Reverse(s[:n])
	slices.Reverse(s[n:])
	slices.Reverse(s)
}

// Delete removes the elements i up to j, not including j, and frees what they
// own. It panics if they are out of range.
func (s *Slice[T]) Delete(t *Thread, i, j int) {
	if i < 0 || i > j || j > s.len {
		panic(fmt.Sprintf("proclet: Delete of %d to %d of a Slice of %d", i, j, s.len))
	}
	if i == j {
		return
	}
	rotate(unsafe.Slice(s.at(0), s.len)[i:], j-i)
	s.Truncate(t, s.len-(j-i))
}

// Pop removes the last element and returns it, and whether there was one. What
// it owns belongs to the caller, who keeps it in a field of the state, or in
// another element, or gives it back with [Free].
func (s *Slice[T]) Pop(t *Thread) (v T, ok bool) {
	if s.len == 0 {
		return v, false
	}
	s.len--
	return *s.at(s.len), true
}

// Sort sorts the elements in the order that compare says; see slices.SortFunc.
// While it sorts the slice looks empty to others, and must not be changed: that
// panics.
func (s *Slice[T]) Sort(t *Thread, compare func(a, b T) int) {
	if s.len < 2 {
		return
	}
	all := s.sliceHead
	s.sliceHead = sliceHead{}
	defer func() {
		changed := s.data != nil
		s.sliceHead = all
		if changed {
			panic("proclet: a Slice was changed while it was being sorted")
		}
	}()
	slices.SortFunc(unsafe.Slice((*T)(all.data), all.len), compare)
}

// Search looks for an element in a sorted slice, in which compare is negative for
// the elements before it, 0 for it and positive for those behind. It returns
// where the element is, or would have to be inserted.
func (s *Slice[T]) Search(compare func(*T) int) (i int, found bool) {
	low, high := 0, s.len
	for low < high {
		mid := int(uint(low+high) / 2)
		if compare(s.At(mid)) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < s.len && compare(s.at(low)) == 0
}

// Free empties s and gives its memory back.
func (s *Slice[T]) Free(t *Thread) {
	s.release(t, elementOf(reflect.TypeFor[T]()))
	s.sliceHead = sliceHead{}
}

// All iterates over index and element. If the slice is changed meanwhile, each
// turn gives what is at its index then.
func (s *Slice[T]) All() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		for i := 0; i < s.len; i++ {
			if !yield(i, s.at(i)) {
				return
			}
		}
	}
}

// grow makes room for n elements.
func (s *sliceHead) grow(h *mm.Heap, n int, size uintptr) error {
	if n <= s.cap {
		return nil
	}
	c := max(n, 4, s.cap+s.cap/2)
	p, err := h.Alloc(uint64(c) * uint64(size))
	if err != nil && c > n {
		c = n
		p, err = h.Alloc(uint64(c) * uint64(size))
	}
	if err != nil {
		return err
	}
	copy(unsafe.Slice((*byte)(p), uintptr(s.len)*size), unsafe.Slice((*byte)(s.data), uintptr(s.len)*size))
	if s.data != nil {
		h.Free(s.data)
	}
	s.data, s.cap = p, c
	return nil
}

// release gives back the memory of the slice and of what its elements own.
func (s *sliceHead) release(t *Thread, e *element) {
	if o := e.ownership(); o != nil {
		for i := range s.len {
			o.release(t, unsafe.Add(s.data, uintptr(i)*e.size))
		}
	}
	if s.data != nil {
		t.heapOf().Free(s.data)
	}
}

// sliceOwner is the owner of Slices of elem.
type sliceOwner struct{ elem *element }

func (*Slice[T]) container() containerType {
	elem := reflect.TypeFor[T]()
	return containerType{self: reflect.TypeFor[Slice[T]](), elem: elem, owner: sliceOwner{elementOf(elem)}}
}

func (sliceOwner) adopt(t *Thread, p unsafe.Pointer) error {
	s := (*sliceHead)(p)
	if s.len != 0 {
		return errNotEmpty
	}
	*s = sliceHead{} // the room of an emptied Slice is its owner's
	return nil
}

func (o sliceOwner) release(t *Thread, p unsafe.Pointer) { (*sliceHead)(p).release(t, o.elem) }
