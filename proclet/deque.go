package proclet

import (
	"fmt"
	"iter"
	"reflect"
	"unsafe"
)

// Deque is a queue with two ends whose elements lie in the proclet's heap. The
// zero value is empty. T may be what a field of a state type may be. Like a
// [Slice] it owns its elements, and must not be used by several calls at once if
// one of them changes it.
type Deque[T any] struct {
	_ [0]*T
	dequeHead
}

// dequeHead is a ring. Elements have numbers that never change, from first on;
// element i is at i modulo room, which is a power of two.
type dequeHead struct {
	data  unsafe.Pointer
	first uint64
	len   uint64
	room  uint64
}

const leastRoom = 4 // elements in the smallest ring

// Len returns the number of elements.
func (d *Deque[T]) Len() int { return int(d.len) }

// At returns a pointer to element i, counted from the front, valid until an
// element is pushed or popped. It panics if i is out of range.
func (d *Deque[T]) At(i int) *T {
	if uint64(i) >= d.len {
		panic(fmt.Sprintf("proclet: index %d of a Deque of %d", i, d.len))
	}
	return d.at(d.first + uint64(i))
}

// Front returns a pointer to the first element, or nil; see At.
func (d *Deque[T]) Front() *T {
	if d.len == 0 {
		return nil
	}
	return d.at(d.first)
}

// Back returns a pointer to the last element, or nil; see At.
func (d *Deque[T]) Back() *T {
	if d.len == 0 {
		return nil
	}
	return d.at(d.first + d.len - 1)
}

func (d *Deque[T]) at(number uint64) *T {
	var zero T
	return (*T)(d.slot(number, unsafe.Sizeof(zero)))
}

// PushBack appends a copy of v, Strings included. ErrHeapFull leaves the deque
// unchanged.
func (d *Deque[T]) PushBack(t *Thread, v T) error {
	if err := d.prepare(t, &v); err != nil {
		return err
	}
	*d.at(d.first + d.len) = v
	d.len++
	return nil
}

// PushFront is PushBack at the front.
func (d *Deque[T]) PushFront(t *Thread, v T) error {
	if err := d.prepare(t, &v); err != nil {
		return err
	}
	d.first--
	*d.at(d.first) = v
	d.len++
	return nil
}

// prepare makes room for another element, and v own what belongs to it.
func (d *Deque[T]) prepare(t *Thread, v *T) error {
	if err := claimAll(t, v); err != nil {
		return err
	}
	if err := ownershipOf[T]().adopt(t, unsafe.Pointer(v)); err != nil {
		return err
	}
	if d.len < d.room {
		return nil
	}
	err := d.resize(t, max(leastRoom, 2*d.room), unsafe.Sizeof(*v))
	if err != nil {
		ownershipOf[T]().undo(t, unsafe.Pointer(v))
	}
	return err
}

// PopFront removes the first element and returns it, and whether there was one.
// What it owns belongs to the caller; see [Slice.Pop].
func (d *Deque[T]) PopFront(t *Thread) (v T, ok bool) {
	if d.len == 0 {
		return v, false
	}
	v = *d.at(d.first)
	d.first++
	d.len--
	d.shrink(t, unsafe.Sizeof(v))
	return v, true
}

// PopBack is PopFront at the back.
func (d *Deque[T]) PopBack(t *Thread) (v T, ok bool) {
	if d.len == 0 {
		return v, false
	}
	d.len--
	v = *d.at(d.first + d.len)
	d.shrink(t, unsafe.Sizeof(v))
	return v, true
}

// Free empties d and gives its memory back.
func (d *Deque[T]) Free(t *Thread) {
	d.release(t, elementOf(reflect.TypeFor[T]()))
	d.dequeHead = dequeHead{}
}

// All iterates over the elements from front to back. Meanwhile the deque may be
// changed: elements that are popped before their turn are not given, those that
// are pushed at the back are.
func (d *Deque[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for i := d.first; ; i++ {
			if int64(i-d.first) < 0 {
				i = d.first
			}
			if i-d.first >= d.len || !yield(d.at(i)) {
				return
			}
		}
	}
}

// Backward iterates over the elements from back to front. Meanwhile the deque may
// be changed: elements that are popped before their turn are not given, those
// that are pushed at the front are.
func (d *Deque[T]) Backward() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for end := d.first + d.len; ; end-- {
			if int64(end-d.first-d.len) > 0 {
				end = d.first + d.len
			}
			if int64(end-d.first) <= 0 || !yield(d.at(end-1)) {
				return
			}
		}
	}
}

func (d *dequeHead) slot(number uint64, size uintptr) unsafe.Pointer {
	return unsafe.Add(d.data, uintptr(number&(d.room-1))*size)
}

// resize moves the elements to a ring of another size, in which they have room.
func (d *dequeHead) resize(t *Thread, room uint64, size uintptr) error {
	p, err := t.heapOf().Alloc(room * uint64(size))
	if err != nil {
		return err
	}
	to := *d
	to.data, to.room = p, room
	for i := d.first; i != d.first+d.len; i++ {
		copy(unsafe.Slice((*byte)(to.slot(i, size)), size), unsafe.Slice((*byte)(d.slot(i, size)), size))
	}
	if d.data != nil {
		t.heapOf().Free(d.data)
	}
	*d = to
	return nil
}

// shrink halves the ring if less than an eighth of it is used. Without memory for
// that it stays as it is.
func (d *dequeHead) shrink(t *Thread, size uintptr) {
	if d.room > leastRoom && d.len < d.room/8 {
		d.resize(t, d.room/2, size)
	}
}

func (d *dequeHead) release(t *Thread, e *element) {
	if owns := e.ownership(); owns != nil {
		for i := d.first; i != d.first+d.len; i++ {
			owns.release(t, d.slot(i, e.size))
		}
	}
	if d.data != nil {
		t.heapOf().Free(d.data)
	}
}

// dequeOwner is the owner of Deques of elem.
type dequeOwner struct{ elem *element }

func (*Deque[T]) container() containerType {
	elem := reflect.TypeFor[T]()
	return containerType{self: reflect.TypeFor[Deque[T]](), elem: elem, owner: dequeOwner{elementOf(elem)}}
}

func (dequeOwner) adopt(t *Thread, p unsafe.Pointer) error {
	d := (*dequeHead)(p)
	if d.len != 0 {
		return errNotEmpty
	}
	*d = dequeHead{} // the ring of an emptied Deque is its owner's
	return nil
}

func (o dequeOwner) release(t *Thread, p unsafe.Pointer) { (*dequeHead)(p).release(t, o.elem) }
