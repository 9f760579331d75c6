package inspect

import (
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"nuos/qemu/monitor"
)

// Machine is a machine that is looked into. It is not for concurrent use.
type Machine struct {
	symbols    *Symbols
	memory     io.ReaderAt // by virtual address
	processors []monitor.Registers
	pages      map[uint64][]byte // what was read
}

// Open looks into the machine with that memory, by virtual address. Registers of
// its processors are needed for stacks only, and only right if the machine is
// stopped.
func Open(s *Symbols, memory io.ReaderAt, processors []monitor.Registers) (*Machine, error) {
	m := &Machine{symbols: s, memory: memory, processors: processors, pages: map[uint64][]byte{}}
	id, err := m.read(s.stamp+stampIDOffset, len(s.id))
	if err != nil || [32]byte(id) != s.id {
		return nil, errors.Join(ErrOtherImage, err)
	}
	return m, nil
}

// read returns n bytes of memory. What was read once is not read again.
func (m *Machine) read(address uint64, n int) ([]byte, error) {
	const size = 4096
	b := make([]byte, 0, n)
	for len(b) < n {
		at := address + uint64(len(b))
		page := at &^ (size - 1)
		if page > math.MaxInt64 || n > 1<<30 {
			return nil, fmt.Errorf("%#x: %w", at, ErrUnmapped)
		}
		if m.pages[page] == nil {
			p := make([]byte, size)
			if _, err := m.memory.ReadAt(p, int64(page)); err != nil {
				return nil, err
			}
			m.pages[page] = p
		}
		b = append(b, m.pages[page][at-page:min(size, at-page+uint64(n-len(b)))]...)
	}
	return b, nil
}

// value is a variable in the machine's memory, or a part of one. Its methods panic
// with a failure, which exported functions return as their error (see recovered):
// paths through several variables would be unreadable otherwise.
type value struct {
	m       *Machine
	typ     dwarf.Type
	address uint64
}

// failure is what value's methods panic with.
type failure struct{ error }

func fail(format string, args ...any) {
	panic(failure{fmt.Errorf("inspect: "+format, args...)})
}

// recovered is deferred by functions that use values.
func recovered(err *error) {
	switch f := recover().(type) {
	case nil:
	case failure:
		*err = f.error
	default:
		panic(f)
	}
}

// variable finds a package-level variable, such as runtime.allgs.
func (m *Machine) variable(name string) value {
	v, ok := m.symbols.variables[name]
	if !ok {
		fail("the image has no variable %s", name)
	}
	t, err := m.symbols.data.Type(v.typ)
	if err != nil {
		fail("%s: %w", name, err)
	}
	return value{m, t, v.address}
}

// at is a value of a named type, such as runtime.g, at an address.
func (m *Machine) at(address uint64, typ string) value {
	offset, ok := m.symbols.types[typ]
	if !ok {
		fail("the image has no type %s", typ)
	}
	t, err := m.symbols.data.Type(offset)
	if err != nil {
		fail("%s: %w", typ, err)
	}
	return value{m, t, address}
}

func (m *Machine) constant(name string) int64 {
	v, ok := m.symbols.constants[name]
	if !ok {
		fail("the image has no constant %s", name)
	}
	return v
}

func underlying(t dwarf.Type) dwarf.Type {
	for {
		d, ok := t.(*dwarf.TypedefType)
		if !ok {
			return t
		}
		t = d.Type
	}
}

// field goes along a path of fields: "sched.pc".
func (v value) field(path string) value {
	for _, name := range strings.Split(path, ".") {
		s, ok := underlying(v.typ).(*dwarf.StructType)
		if !ok {
			fail("%v has no fields", v.typ)
		}
		found := false
		for _, f := range s.Field {
			if f.Name == name {
				v, found = value{v.m, f.Type, v.address + uint64(f.ByteOffset)}, true
			}
		}
		if !found {
			fail("%s has no field %s", s.StructName, name)
		}
	}
	return v
}

// index is an element of an array or a slice.
func (v value) index(i int) value {
	if a, ok := underlying(v.typ).(*dwarf.ArrayType); ok {
		return value{v.m, a.Type, v.address + uint64(i)*uint64(a.Type.Size())}
	}
	p := v.field("array")
	t, ok := underlying(p.typ).(*dwarf.PtrType)
	if !ok {
		fail("%v has no elements", v.typ)
	}
	return value{v.m, t.Type, p.uint() + uint64(i)*uint64(t.Type.Size())}
}

// length is that of an array, a slice or a string.
func (v value) length() int {
	if a, ok := underlying(v.typ).(*dwarf.ArrayType); ok {
		return int(a.Count)
	}
	n := v.field("len").uint()
	if n > 1<<30 {
		fail("%v of length %d", v.typ, n)
	}
	return int(n)
}

// target is what a pointer points to.
func (v value) target() value {
	p, ok := underlying(v.typ).(*dwarf.PtrType)
	if !ok {
		fail("%v is no pointer", v.typ)
	}
	return value{v.m, p.Type, v.uint()}
}

// word reads eight bytes.
func (m *Machine) word(address uint64) uint64 {
	b, err := m.read(address, 8)
	if err != nil {
		fail("word at %#x: %w", address, err)
	}
	return binary.LittleEndian.Uint64(b)
}

// peek reads eight bytes, or 0 where there is no memory: of a stack that may be
// broken.
func (m *Machine) peek(address uint64) uint64 {
	b, err := m.read(address, 8)
	if err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (v value) bytes(n int) []byte {
	b, err := v.m.read(v.address, n)
	if err != nil {
		fail("%v at %#x: %w", v.typ, v.address, err)
	}
	return b
}

// uint reads a number or an address of 1 to 8 bytes.
func (v value) uint() uint64 {
	n := v.typ.Size()
	if n < 1 || n > 8 {
		fail("%v is no number", v.typ)
	}
	var b [8]byte
	copy(b[:], v.bytes(int(n)))
	return binary.LittleEndian.Uint64(b[:])
}

func (v value) int() int64 {
	shift := 64 - 8*uint(v.typ.Size())
	return int64(v.uint()<<shift) >> shift
}

func (v value) string() string {
	n := v.length()
	if n == 0 {
		return ""
	}
	return string(value{v.m, v.typ, v.field("str").uint()}.bytes(n))
}

// enum is the name of the constant with a value's type and number, without package
// and prefix.
func (v value) enum(prefix string) string {
	name := v.m.symbols.enums[v.typ.Common().Name][v.int()]
	if name == "" {
		return fmt.Sprint(v.int())
	}
	return strings.ToLower(strings.TrimPrefix(name[strings.LastIndexByte(name, '.')+1:], prefix))
}
