package proclet

import (
	"fmt"
	"iter"
	"reflect"
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
	h := t.heapOf()
	o := ownershipOf[T]()
	var zero T
	if err := s.grow(h, s.len+len(vs), unsafe.Sizeof(zero)); err != nil {
		return err
	}
	for i := range vs {
		p := s.at(s.len + i)
		*p = vs[i]
		if err := o.adopt(t, unsafe.Pointer(p)); err != nil {
			for j := range i {
				o.release(t, unsafe.Pointer(s.at(s.len+j)))
			}
			return err
		}
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

// Free empties s and gives its memory back.
func (s *Slice[T]) Free(t *Thread) {
	s.release(t, elementOf(reflect.TypeFor[T]()))
	s.sliceHead = sliceHead{}
}

// All iterates over index and element. The slice must not grow meanwhile.
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
	p, err := h.AllocBytes(uint64(c) * uint64(size))
	if err != nil && c > n {
		c = n
		p, err = h.AllocBytes(uint64(c) * uint64(size))
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
