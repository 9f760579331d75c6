package proclet

import (
	"encoding"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// arena is where the memory behind copied values comes from: one piece of a
// proclet's heap that was measured before, or, when heap is nil, Go's heap.
type arena struct {
	next, end unsafe.Pointer
	heap      bool
}

// alloc returns zeroed memory for n elements of p.
func (a *arena) alloc(p *plan, n int) unsafe.Pointer {
	if !a.heap || p.inGo {
		return reflect.MakeSlice(reflect.SliceOf(p.typ), n, n).UnsafePointer()
	}
	m := a.bytes(uintptr(n) * p.size)
	clear(unsafe.Slice((*byte)(m), uintptr(n)*p.size))
	return m
}

// bytes returns n bytes of memory, of any contents, for data without pointers.
func (a *arena) bytes(n uintptr) unsafe.Pointer {
	if !a.heap {
		return unsafe.Pointer(unsafe.SliceData(make([]byte, n)))
	}
	p := a.next
	n = (n + 7) &^ 7
	if n > uintptr(a.end)-uintptr(p) {
		panic("proclet: copied value is larger than was measured") // a bug of the plans: stop before it overwrites anything
	}
	a.next = unsafe.Add(p, n)
	return p
}

// room is what a measured piece of n bytes takes of an arena.
func room(n uintptr) uintptr { return (n + 7) &^ 7 }

// measure returns how many bytes of an arena a copy of *src needs, apart from
// what *src itself takes.
func (p *plan) measure(src unsafe.Pointer) (n uintptr) {
	switch p.kind {
	case planString:
		n = room(uintptr(len(*(*string)(src))))
	case planSlice:
		s := *(*sliceHeader)(src)
		if !p.elem.inGo {
			n = room(uintptr(s.len) * p.elem.size)
		}
		if p.elem.kind != planBytes {
			for i := range s.len {
				n += p.elem.measure(unsafe.Add(s.data, uintptr(i)*p.elem.size))
			}
		}
	case planPointer:
		if q := *(*unsafe.Pointer)(src); q != nil {
			if !p.elem.inGo {
				n = room(p.elem.size)
			}
			n += p.elem.measure(q)
		}
	case planArray:
		for i := range p.n {
			n += p.elem.measure(unsafe.Add(src, uintptr(i)*p.elem.size))
		}
	case planStruct:
		for _, f := range p.parts {
			n += f.plan.measure(unsafe.Add(src, f.offset))
		}
	case planMap:
		for it := reflect.NewAt(p.typ, src).Elem().MapRange(); it.Next(); {
			n += p.key.measure(addressOf(it.Key())) + p.elem.measure(addressOf(it.Value()))
		}
	}
	return n
}

// copy makes *dst, which is zero, a copy of *src that shares nothing with it.
func (p *plan) copy(dst, src unsafe.Pointer, a *arena) error {
	switch p.kind {
	case planBytes, planBool, planCounted:
		copy(unsafe.Slice((*byte)(dst), p.size), unsafe.Slice((*byte)(src), p.size))
	case planString:
		s := *(*string)(src)
		*(*string)(dst) = a.string(s)
	case planSlice:
		s := *(*sliceHeader)(src)
		if s.data == nil {
			return nil
		}
		d := (*sliceHeader)(dst)
		*d = sliceHeader{a.alloc(p.elem, s.len), s.len, s.len}
		return p.elem.copyAll(d.data, s.data, s.len, a)
	case planPointer:
		if q := *(*unsafe.Pointer)(src); q != nil {
			d := a.alloc(p.elem, 1)
			*(*unsafe.Pointer)(dst) = d
			return p.elem.copy(d, q, a)
		}
	case planArray:
		return p.elem.copyAll(dst, src, p.n, a)
	case planStruct:
		for _, f := range p.parts {
			if err := f.plan.copy(unsafe.Add(dst, f.offset), unsafe.Add(src, f.offset), a); err != nil {
				return err
			}
		}
	case planMap:
		from := reflect.NewAt(p.typ, src).Elem()
		if from.IsNil() {
			return nil
		}
		to := reflect.MakeMapWithSize(p.typ, from.Len())
		for it := from.MapRange(); it.Next(); {
			k, v := reflect.New(p.key.typ), reflect.New(p.elem.typ)
			if err := p.key.copy(k.UnsafePointer(), addressOf(it.Key()), a); err != nil {
				return err
			}
			if err := p.elem.copy(v.UnsafePointer(), addressOf(it.Value()), a); err != nil {
				return err
			}
			to.SetMapIndex(k.Elem(), v.Elem())
		}
		reflect.NewAt(p.typ, dst).Elem().Set(to)
	case planTime:
		*(*time.Time)(dst) = wireTime(*(*time.Time)(src))
	case planCustom:
		b, err := p.appendCustom(nil, src)
		if err != nil {
			return err
		}
		return p.setCustom(dst, b)
	}
	return nil
}

// copyAll copies n elements of p.
func (p *plan) copyAll(dst, src unsafe.Pointer, n int, a *arena) error {
	if p.kind == planBytes {
		size := uintptr(n) * p.size
		copy(unsafe.Slice((*byte)(dst), size), unsafe.Slice((*byte)(src), size))
		return nil
	}
	for i := range n {
		off := uintptr(i) * p.size
		if err := p.copy(unsafe.Add(dst, off), unsafe.Add(src, off), a); err != nil {
			return err
		}
	}
	return nil
}

func (a *arena) string(s string) string {
	if len(s) == 0 {
		return ""
	}
	b := a.bytes(uintptr(len(s)))
	copy(unsafe.Slice((*byte)(b), len(s)), s)
	return unsafe.String((*byte)(b), len(s))
}

// wireTime is what is left of a time on its way between heaps: the instant. A
// Location and the monotonic clock belong to one machine.
func wireTime(t time.Time) time.Time { return t.Round(0).UTC() }

func (p *plan) appendCustom(b []byte, src unsafe.Pointer) ([]byte, error) {
	b, err := reflect.NewAt(p.typ, src).Interface().(encoding.BinaryAppender).AppendBinary(b)
	if err != nil {
		return nil, fmt.Errorf("proclet: encoding a %v: %w", p.typ, err)
	}
	return b, nil
}

func (p *plan) setCustom(dst unsafe.Pointer, b []byte) error {
	if err := reflect.NewAt(p.typ, dst).Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b); err != nil {
		return fmt.Errorf("%w: decoding a %v: %w", errMalformed, p.typ, err)
	}
	return nil
}

// sliceHeader is how Go lays out a slice.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// addressOf returns the address of a copy of v.
func addressOf(v reflect.Value) unsafe.Pointer {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.UnsafePointer()
}
