package proclet

import (
	"strings"
	"unsafe"

	"nuos/mm"
)

// String is a string whose bytes lie in the proclet's heap. The zero value is
// the empty string. A String owns its bytes: keep it where it is a field or an
// element, and do not assign it to a second place of a proclet's state.
//
// As an argument or a result of a call, and given to a container, a String is
// copied, bytes and all.
type String struct {
	s string // bytes in a proclet's heap, or anywhere if made by View
}

// View makes a String of v without copying, for looking things up in a [Map]
// and for handing strings to containers, which copy what they keep. It must not
// be assigned to a field of a proclet's state.
func View(v string) String { return String{v} }

// ViewBytes is [View] of bytes, which must not change as long as the String is
// used.
func ViewBytes(v []byte) String { return String{unsafe.String(unsafe.SliceData(v), len(v))} }

// Len returns the length in bytes.
func (s String) Len() int { return len(s.s) }

// String returns the contents without copying them: the result is valid until s
// is changed and, at the longest, until the method that called it returns. A
// method may return it, see [Mutex.Hold].
func (s String) String() string { return s.s }

// Clone returns the contents as a string in Go's heap, which is valid for ever.
func (s String) Clone() string { return strings.Clone(s.s) }

// Set replaces the contents by a copy of v. ErrHeapFull leaves s unchanged.
func (s *String) Set(t *Thread, v string) error {
	h := t.heapOf()
	if len(s.s) > 0 && len(v) > 0 {
		old := unsafe.StringData(s.s)
		if room := h.UsableSize(unsafe.Pointer(old)); uint64(len(v)) <= room && room <= 2*uint64(len(v))+32 {
			copy(unsafe.Slice(old, len(v)), v)
			s.s = unsafe.String(old, len(v))
			return nil
		}
	}
	c, err := newString(h, v)
	if err != nil {
		return err
	}
	s.release(h)
	*s = c
	return nil
}

// Append appends a copy of v. ErrHeapFull leaves s unchanged. It takes time
// proportional to the whole String only when that outgrows the memory it has.
func (s *String) Append(t *Thread, v string) error {
	h := t.heapOf()
	n := len(s.s) + len(v)
	switch {
	case len(v) == 0:
		return nil
	case len(s.s) == 0:
		return s.Set(t, v)
	}
	old := unsafe.Pointer(unsafe.StringData(s.s))
	room := h.UsableSize(old)
	if uint64(n) > room {
		p, err := h.AllocBytes(uint64(n + n/4))
		if err != nil {
			if p, err = h.AllocBytes(uint64(n)); err != nil {
				return err
			}
		}
		copy(unsafe.Slice((*byte)(p), n), s.s)
		copy(unsafe.Slice((*byte)(p), n)[len(s.s):], v) // before old is freed: v may be part of it
		h.Free(old)
		s.s = unsafe.String((*byte)(p), n)
		return nil
	}
	copy(unsafe.Slice((*byte)(old), n)[len(s.s):], v)
	s.s = unsafe.String((*byte)(old), n)
	return nil
}

// Free empties s and gives its memory back.
func (s *String) Free(t *Thread) {
	s.release(t.heapOf())
	s.s = ""
}

// newString copies v into the heap.
func newString(h *mm.Heap, v string) (String, error) {
	if len(v) == 0 {
		return String{}, nil
	}
	p, err := h.AllocBytes(uint64(len(v)))
	if err != nil {
		return String{}, err
	}
	return placeString(p, v), nil
}

// placeString copies v to p.
func placeString(p unsafe.Pointer, v string) String {
	if len(v) == 0 {
		return String{}
	}
	copy(unsafe.Slice((*byte)(p), len(v)), v)
	return String{unsafe.String((*byte)(p), len(v))}
}

func (s *String) release(h *mm.Heap) {
	if len(s.s) > 0 {
		h.Free(unsafe.Pointer(unsafe.StringData(s.s)))
	}
}

// stringOwner is the owner of Strings.
type stringOwner struct{}

func (*String) container() containerType {
	return containerType{self: stringType, owner: stringOwner{}, passes: true}
}

func (stringOwner) adopt(t *Thread, p unsafe.Pointer) error {
	s := (*String)(p)
	c, err := newString(t.heapOf(), s.s)
	if err == nil {
		*s = c
	}
	return err
}

func (stringOwner) release(t *Thread, p unsafe.Pointer) { (*String)(p).release(t.heapOf()) }
