package proclet

import (
	"iter"
	"reflect"
	"unsafe"
)

// Heap is a priority queue whose elements lie in the proclet's heap: the least
// one comes first. The zero value is empty. T is a number, [String], or what a
// field of a state type may be and has a method Compare(T) int, which must neither
// wait nor change anything. Like a [Slice] it owns its elements, and must not be
// used by several calls at once if one of them changes it.
type Heap[T any] struct {
	_     [0]*T
	order ordering
	sliceHead
}

// Len returns the number of elements.
func (q *Heap[T]) Len() int { return q.len }

// First returns a pointer to the least element, or nil. What it is compared by
// must not be changed. The pointer is valid until the heap changes.
func (q *Heap[T]) First() *T {
	if q.len == 0 {
		return nil
	}
	return q.at(0)
}

// Push adds a copy of v, Strings included. ErrHeapFull leaves the heap unchanged.
func (q *Heap[T]) Push(t *Thread, v T) error {
	if q.order == unordered {
		q.order = orderingOf[T]()
	}
	if err := claimAll(t, &v); err != nil {
		return err
	}
	if err := ownershipOf[T]().adopt(t, unsafe.Pointer(&v)); err != nil {
		return err
	}
	if err := q.grow(t.heapOf(), q.len+1, unsafe.Sizeof(v)); err != nil {
		ownershipOf[T]().undo(t, unsafe.Pointer(&v))
		return err
	}
	*q.at(q.len) = v
	q.len++
	for i := q.len - 1; i > 0; {
		above := (i - 1) / 2
		if compare(q.order, q.at(i), q.at(above)) >= 0 {
			break
		}
		*q.at(i), *q.at(above) = *q.at(above), *q.at(i)
		i = above
	}
	return nil
}

// Pop removes the least element and returns it, and whether there was one. Of
// equal ones any comes first. What it owns belongs to the caller; see
// [Slice.Pop].
func (q *Heap[T]) Pop(t *Thread) (v T, ok bool) {
	if q.len == 0 {
		return v, false
	}
	last := q.len - 1
	*q.at(0), *q.at(last) = *q.at(last), *q.at(0)
	v = *q.at(last)
	q.len--
	for i := 0; ; {
		least := i
		for below := 2*i + 1; below <= 2*i+2 && below < q.len; below++ {
			if compare(q.order, q.at(below), q.at(least)) < 0 {
				least = below
			}
		}
		if least == i {
			return v, true
		}
		*q.at(i), *q.at(least) = *q.at(least), *q.at(i)
		i = least
	}
}

// Free empties q and gives its memory back.
func (q *Heap[T]) Free(t *Thread) {
	q.release(t, elementOf(reflect.TypeFor[T]()))
	*q = Heap[T]{}
}

// All iterates over the elements, the least one first and the others in no
// particular order. If the heap is changed meanwhile elements may be given twice
// or not at all.
func (q *Heap[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for i := 0; i < q.len; i++ {
			if !yield(q.at(i)) {
				return
			}
		}
	}
}

func (q *Heap[T]) at(i int) *T {
	var zero T
	return (*T)(unsafe.Add(q.data, uintptr(i)*unsafe.Sizeof(zero)))
}

func (*Heap[T]) container() containerType {
	elem := reflect.TypeFor[T]()
	return containerType{
		self: reflect.TypeFor[Heap[T]](), elem: elem, order: orderingOf[T](), ordered: elem, owner: heapOwner{elementOf(elem)},
	}
}

// heapOwner is the owner of Heaps of elem.
type heapOwner struct{ elem *element }

func (o heapOwner) adopt(t *Thread, p unsafe.Pointer) error {
	return sliceOwner(o).adopt(t, unsafe.Pointer(&(*Heap[byte])(p).sliceHead))
}

func (o heapOwner) release(t *Thread, p unsafe.Pointer) {
	sliceOwner(o).release(t, unsafe.Pointer(&(*Heap[byte])(p).sliceHead))
}
