package proclet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// errMalformed: bytes from another machine are not what they should be.
var errMalformed = errors.New("proclet: malformed message")

// The encoding of a value, described by its plan: bytes as they lie in memory
// (all machines run the same program); a string as length and bytes; a slice or
// map as 0 if nil, or else length+1 and its elements; a pointer as 0 or 1 and
// what it points to; a time as seconds and nanoseconds; a type with an encoding
// of its own as length and bytes. Lengths are varints.

// encode appends the encoding of *src.
func (p *plan) encode(b []byte, src unsafe.Pointer) (_ []byte, err error) {
	switch p.kind {
	case planBytes, planBool, planCounted:
		b = append(b, unsafe.Slice((*byte)(src), p.size)...)
	case planString:
		s := *(*string)(src)
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	case planSlice:
		s := *(*sliceHeader)(src)
		if s.data == nil {
			return append(b, 0), nil
		}
		b = binary.AppendUvarint(b, uint64(s.len)+1)
		return p.elem.encodeAll(b, s.data, s.len)
	case planPointer:
		q := *(*unsafe.Pointer)(src)
		if q == nil {
			return append(b, 0), nil
		}
		return p.elem.encode(append(b, 1), q)
	case planArray:
		return p.elem.encodeAll(b, src, p.n)
	case planStruct:
		for _, f := range p.parts {
			if b, err = f.plan.encode(b, unsafe.Add(src, f.offset)); err != nil {
				return nil, err
			}
		}
	case planMap:
		m := reflect.NewAt(p.typ, src).Elem()
		if m.IsNil() {
			return append(b, 0), nil
		}
		b = binary.AppendUvarint(b, uint64(m.Len())+1)
		for it := m.MapRange(); it.Next(); {
			if b, err = p.key.encode(b, addressOf(it.Key())); err != nil {
				return nil, err
			}
			if b, err = p.elem.encode(b, addressOf(it.Value())); err != nil {
				return nil, err
			}
		}
	case planTime:
		t := *(*time.Time)(src)
		b = binary.AppendVarint(b, t.Unix())
		b = binary.AppendUvarint(b, uint64(t.Nanosecond()))
	case planCustom:
		data, err := p.appendCustom(nil, src)
		if err != nil {
			return nil, err
		}
		b = binary.AppendUvarint(b, uint64(len(data)))
		b = append(b, data...)
	}
	return b, nil
}

func (p *plan) encodeAll(b []byte, src unsafe.Pointer, n int) (_ []byte, err error) {
	if p.kind == planBytes {
		return append(b, unsafe.Slice((*byte)(src), uintptr(n)*p.size)...), nil
	}
	for i := range n {
		if b, err = p.encode(b, unsafe.Add(src, uintptr(i)*p.size)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// decoder reads an encoded value twice: once with measure, which checks
// everything and finds out how much of an arena is needed, and once, from the
// start again, with decode.
type decoder struct {
	b []byte
}

// maxDecoded bounds the memory that a value may take, so that a short message
// cannot ask for much of it.
const maxDecoded = 64 << 20

// measure checks the encoding at the front of d and adds to *n what a copy
// needs of an arena.
func (p *plan) measureWire(d *decoder, n *uintptr) error {
	switch p.kind {
	case planBytes, planCounted:
		_, err := d.take(p.size)
		return err
	case planBool:
		v, err := d.take(1)
		if err == nil && v[0] > 1 {
			err = fmt.Errorf("%w: bool %d", errMalformed, v[0])
		}
		return err
	case planString, planCustom:
		l, err := d.length(1)
		if err != nil {
			return err
		}
		if p.kind == planString {
			*n += room(uintptr(l))
		}
		_, err = d.take(uintptr(l))
		return err
	case planSlice:
		l, ok, err := d.count(p.elem)
		if !ok {
			return err
		}
		*n += room(uintptr(l) * p.elem.size)
		return p.elem.measureAll(d, l, n)
	case planPointer:
		ok, err := d.flag()
		if !ok {
			return err
		}
		*n += room(p.elem.size)
		if *n > maxDecoded {
			return fmt.Errorf("%w: value too large", errMalformed)
		}
		return p.elem.measureWire(d, n)
	case planArray:
		return p.elem.measureAll(d, p.n, n)
	case planStruct:
		for _, f := range p.parts {
			if err := f.plan.measureWire(d, n); err != nil {
				return err
			}
		}
	case planMap:
		l, ok, err := d.count(p.key)
		if !ok {
			return err
		}
		for range l {
			if err := p.key.measureWire(d, n); err != nil {
				return err
			}
			if err := p.elem.measureWire(d, n); err != nil {
				return err
			}
		}
	case planTime:
		_, err := d.time()
		return err
	}
	return nil
}

func (p *plan) measureAll(d *decoder, l int, n *uintptr) error {
	if p.kind == planBytes {
		_, err := d.take(uintptr(l) * p.size)
		return err
	}
	for range l {
		if err := p.measureWire(d, n); err != nil {
			return err
		}
	}
	return nil
}

// decode makes *dst, which is zero, the value at the front of d, which
// measureWire has found to be in order.
func (p *plan) decode(dst unsafe.Pointer, d *decoder, a *arena) error {
	switch p.kind {
	case planBytes, planBool, planCounted:
		v, err := d.take(p.size)
		copy(unsafe.Slice((*byte)(dst), p.size), v)
		return err
	case planString:
		v, err := d.sized()
		*(*string)(dst) = a.string(unsafe.String(unsafe.SliceData(v), len(v)))
		return err
	case planSlice:
		l, ok, err := d.count(p.elem)
		if !ok {
			return err
		}
		s := (*sliceHeader)(dst)
		*s = sliceHeader{a.alloc(p.elem, l), l, l}
		return p.elem.decodeAll(s.data, l, d, a)
	case planPointer:
		ok, err := d.flag()
		if !ok {
			return err
		}
		q := a.alloc(p.elem, 1)
		*(*unsafe.Pointer)(dst) = q
		return p.elem.decode(q, d, a)
	case planArray:
		return p.elem.decodeAll(dst, p.n, d, a)
	case planStruct:
		for _, f := range p.parts {
			if err := f.plan.decode(unsafe.Add(dst, f.offset), d, a); err != nil {
				return err
			}
		}
	case planMap:
		l, ok, err := d.count(p.key)
		if !ok {
			return err
		}
		m := reflect.MakeMapWithSize(p.typ, l)
		for range l {
			k, v := reflect.New(p.key.typ), reflect.New(p.elem.typ)
			if err := p.key.decode(k.UnsafePointer(), d, a); err != nil {
				return err
			}
			if err := p.elem.decode(v.UnsafePointer(), d, a); err != nil {
				return err
			}
			m.SetMapIndex(k.Elem(), v.Elem())
		}
		reflect.NewAt(p.typ, dst).Elem().Set(m)
	case planTime:
		t, err := d.time()
		*(*time.Time)(dst) = t
		return err
	case planCustom:
		v, err := d.sized()
		if err != nil {
			return err
		}
		return p.setCustom(dst, v)
	}
	return nil
}

func (p *plan) decodeAll(dst unsafe.Pointer, n int, d *decoder, a *arena) error {
	if p.kind == planBytes {
		v, err := d.take(uintptr(n) * p.size)
		copy(unsafe.Slice((*byte)(dst), len(v)), v)
		return err
	}
	for i := range n {
		if err := p.decode(unsafe.Add(dst, uintptr(i)*p.size), d, a); err != nil {
			return err
		}
	}
	return nil
}
