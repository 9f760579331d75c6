package proclet

import (
	"bytes"
	"reflect"
	"unsafe"
)

// Bytes are bytes in the proclet's heap that can be changed in place. The zero
// value has none. Like a [Slice] it owns them, and must not be assigned to a
// second place of a proclet's state; given to a container it is copied.
type Bytes struct {
	sliceHead
}

// BytesOf makes Bytes of v without copying, to be handed to containers, which
// copy what they keep. It must not be assigned to a field of a proclet's state.
func BytesOf(v []byte) Bytes {
	return Bytes{sliceHead{unsafe.Pointer(unsafe.SliceData(v)), len(v), len(v)}}
}

// Len returns how many bytes there are.
func (b *Bytes) Len() int { return b.len }

// Bytes returns the bytes themselves, which may be changed in place. The slice is
// valid until b grows or is freed.
func (b *Bytes) Bytes() []byte { return unsafe.Slice((*byte)(b.data), b.len) }

// Clone returns a copy in Go's heap.
func (b *Bytes) Clone() []byte { return bytes.Clone(b.Bytes()) }

// Set replaces the bytes by a copy of v, which may be a part of them. ErrHeapFull
// leaves b unchanged.
func (b *Bytes) Set(t *Thread, v []byte) error {
	if len(v) > b.cap {
		old := b.sliceHead
		b.sliceHead = sliceHead{}
		if err := b.grow(t.heapOf(), len(v), 1); err != nil {
			b.sliceHead = old
			return err
		}
		if old.data != nil {
			t.heapOf().Free(old.data)
		}
	}
	b.len = len(v)
	copy(b.Bytes(), v)
	return nil
}

// Append appends a copy of v, which may be a part of b. ErrHeapFull leaves b
// unchanged.
func (b *Bytes) Append(t *Thread, v []byte) error {
	n := b.len
	if n+len(v) > b.cap {
		old := b.data
		inside := uintptr(unsafe.Pointer(unsafe.SliceData(v))) - uintptr(old)
		if err := b.grow(t.heapOf(), n+len(v), 1); err != nil {
			return err
		}
		if inside < uintptr(n) { // v has moved with the rest
			v = unsafe.Slice((*byte)(unsafe.Add(b.data, inside)), len(v))
		}
	}
	b.len = n + len(v)
	copy(b.Bytes()[n:], v)
	return nil
}

// Truncate shortens b to n bytes. It panics if there are fewer.
func (b *Bytes) Truncate(n int) {
	if uint(n) > uint(b.len) {
		panic("proclet: Truncate to more than the Bytes there are")
	}
	b.len = n
}

// Free empties b and gives its memory back.
func (b *Bytes) Free(t *Thread) {
	if b.data != nil {
		t.heapOf().Free(b.data)
	}
	b.sliceHead = sliceHead{}
}

// bytesOwner is the owner of Bytes.
type bytesOwner struct{}

var bytesType = reflect.TypeFor[Bytes]()

func (*Bytes) container() containerType {
	return containerType{self: bytesType, owner: bytesOwner{}}
}

func (bytesOwner) adopt(t *Thread, p unsafe.Pointer) error {
	b := (*Bytes)(p)
	v := b.Bytes()
	b.sliceHead = sliceHead{}
	return b.Set(t, v)
}

func (bytesOwner) release(t *Thread, p unsafe.Pointer) { (*Bytes)(p).Free(t) }
