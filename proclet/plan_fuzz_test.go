package proclet

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// maker makes types and values out of bytes: each decision takes the next one.
type maker struct {
	b     []byte
	depth int
	bad   string // where a type that cannot travel was put; "" if nowhere
	evil  bool   // put one somewhere
}

func (m *maker) choose(n int) int {
	if len(m.b) == 0 {
		return 0
	}
	c := int(m.b[0])
	m.b = m.b[1:]
	return c % n
}

var (
	goodLeaves = []reflect.Type{
		reflect.TypeFor[int64](), reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[uint8](), reflect.TypeFor[float32](),
		reflect.TypeFor[struct{}](), reflect.TypeFor[String](), reflect.TypeFor[time.Time](), reflect.TypeFor[Ref[counter]](),
		reflect.TypeFor[complex128](), reflect.TypeFor[[3]uint16](), reflect.TypeFor[inner](),
	}
	badLeaves = []reflect.Type{
		reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[any](), reflect.TypeFor[Mutex](), reflect.TypeFor[Map[int, int]](),
		reflect.TypeFor[error](), reflect.TypeFor[cyclic](),
	}
	keys = []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[int32](), reflect.TypeFor[[2]bool]()}
)

// make returns a type. path is how errors name the place.
func (m *maker) make(path string) reflect.Type {
	if m.depth > 4 || len(m.b) < 2 {
		if m.evil && m.bad == "" {
			m.bad = path
			return badLeaves[m.choose(len(badLeaves))]
		}
		return goodLeaves[m.choose(len(goodLeaves))]
	}
	m.depth++
	defer func() { m.depth-- }()
	switch m.choose(6) {
	case 0:
		return reflect.SliceOf(m.make(path + "[]"))
	case 1:
		return reflect.ArrayOf(m.choose(4), m.make(path+"[]"))
	case 2:
		return reflect.PointerTo(m.make("(*" + path + ")"))
	case 3:
		return reflect.MapOf(keys[m.choose(len(keys))], m.make(path+"[]"))
	case 4:
		var fields []reflect.StructField
		for i := range 1 + m.choose(4) {
			name := fmt.Sprintf("F%d", i)
			fields = append(fields, reflect.StructField{Name: name, Type: m.make(path + "." + name)})
		}
		return reflect.StructOf(fields)
	}
	return goodLeaves[m.choose(len(goodLeaves))]
}

// fill gives v a value.
func (m *maker) fill(v reflect.Value) {
	switch v.Type() {
	case timeType:
		v.Set(reflect.ValueOf(time.Unix(int64(m.choose(256))<<20, int64(m.choose(256))).UTC()))
		return
	case stringType:
		v.Set(reflect.ValueOf(View(strings.Repeat("s", m.choose(20)))))
		return
	case reflect.TypeFor[Ref[counter]]():
		v.Set(reflect.ValueOf(Ref[counter]{ID{uint64(m.choose(256)), 1}}))
		return
	}
	switch v.Kind() {
	case reflect.Int64, reflect.Int32:
		v.SetInt(int64(m.choose(256)) - 128)
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		v.SetUint(uint64(m.choose(256)))
	case reflect.Float32:
		v.SetFloat(float64(m.choose(256)))
	case reflect.Complex128:
		v.SetComplex(complex(float64(m.choose(256)), 1))
	case reflect.Bool:
		v.SetBool(m.choose(2) == 1)
	case reflect.String:
		v.SetString(strings.Repeat("t", m.choose(20)))
	case reflect.Slice:
		if n := m.choose(5); n > 0 { // otherwise nil
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			m.fill(v.Index(i))
		}
	case reflect.Pointer:
		if m.choose(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			m.fill(v.Elem())
		}
	case reflect.Map:
		if n := m.choose(4); n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n - 1 {
				key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				m.fill(key)
				m.fill(elem)
				v.SetMapIndex(key, elem)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			m.fill(v.Field(i))
		}
	}
}

var planSeeds = []string{
	"", "\x00\x00\x01\x02", "\x04\x03\x00\x02\x05\x05\x05\x06\x05\x07\x09\x08\x07\x06\x05\x04\x03\x02\x01", "\x03\x01\x04\x02\x05\x02\x05\x06\x03\x02\x03\x01",
	"\x02\x02\x02\x05\x02\x01\x01\x01", "\x01\x03\x03\x00\x02\x05\x02\x02\x03\x04\x05\x06", "\x04\x01\x05\x01\x05\x00\x01\x02",
	"\x00\x04\x02\x05\x07\x05\x08\x03\x09\x04\x20\x21\x22\x23\x24",
}

// FuzzPlanTypes makes types and values: each survives a copy and an encoding, to
// the byte that was measured.
func FuzzPlanTypes(f *testing.F) {
	for _, s := range planSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 200 {
			return
		}
		m := &maker{b: b}
		typ := m.make("")
		p, err := planOf(typ)
		if err != nil {
			t.Fatalf("%v: %v", typ, err)
		}
		src := reflect.New(typ)
		m.fill(src.Elem())
		want := src.Elem().Interface()
		arenas(t, p.measure(src.UnsafePointer()), func(where string, a *arena) {
			dst := reflect.New(typ)
			if err := p.copy(dst.UnsafePointer(), src.UnsafePointer(), a); err != nil || !reflect.DeepEqual(dst.Elem().Interface(), want) {
				t.Errorf("%v copied into %s: %+v, %v, want %+v", typ, where, dst.Elem(), err, want)
			}
			if a.heap && !p.inGo && a.next != a.end {
				t.Errorf("%v: %d bytes were measured too many", typ, uintptr(a.end)-uintptr(a.next))
			}
		})
		wire, err := p.encode(nil, src.UnsafePointer())
		if err != nil {
			t.Fatal(err)
		}
		n, d := uintptr(0), &decoder{wire}
		if err := p.measureWire(d, &n); err != nil || len(d.b) != 0 {
			t.Fatalf("%v: measureWire: %v, %d bytes left", typ, err, len(d.b))
		}
		arenas(t, n, func(where string, a *arena) {
			dst, d := reflect.New(typ), &decoder{wire}
			if err := p.decode(dst.UnsafePointer(), d, a); err != nil || len(d.b) != 0 || !reflect.DeepEqual(dst.Elem().Interface(), want) {
				t.Errorf("%v decoded into %s: %+v, %v, want %+v", typ, where, dst.Elem(), err, want)
			}
		})
		for i := range wire {
			n, d := uintptr(0), &decoder{wire[:i]}
			if err := p.measureWire(d, &n); !errors.Is(err, errMalformed) {
				t.Fatalf("%v: %d of %d bytes: %v", typ, i, len(wire), err)
			}
		}
	})
}

// FuzzPlanRefusals puts one type that cannot travel somewhere into another: the
// error names the place.
func FuzzPlanRefusals(f *testing.F) {
	for _, s := range planSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 200 {
			return
		}
		m := &maker{b: b, evil: true}
		typ := m.make(">") // what stands for the name of the type
		_, err := planOf(typ)
		if m.bad == "" {
			if err != nil {
				t.Fatalf("%v: %v", typ, err)
			}
			return
		}
		// The path starts with the whole type's name, which may be long.
		path := strings.Replace(m.bad, ">", typ.String(), 1)
		if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), path) {
			t.Fatalf("%v\nrefused with %v\nwant the path %s", typ, err, path)
		}
	})
}
