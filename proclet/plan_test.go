package proclet

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"nuos/mm"
)

type inner struct {
	A uint8
	B uint64
	S string
}

type outer struct {
	Flag  bool
	Name  string
	List  []inner
	Ptr   *inner
	Grid  [2][]string
	When  time.Time
	Ref   Ref[counter]
	Str   String
	Bytes []byte
	M     map[string][]int
	Addr  netip.Addr
	Addrs []*netip.AddrPort
	Big   [3]float64
	Empty []struct{}
}

var when = time.Date(2026, 11, 22, 1, 2, 3, 456, time.UTC)

// values of many types, each of which must survive a copy and an encoding.
var values = []any{
	int8(-5), uint64(1) << 63, 1.5, complex(1, 2), true, [3]int{1, 2, 3}, struct{}{},
	"", "text", []byte("bytes"), []byte{}, []byte(nil), []string{"a", "", "c"}, [2]string{"x", "y"},
	[]bool{true, false}, [][]int{{1}, nil, {}, {2, 3}},
	inner{1, 2, "three"}, &inner{4, 5, "six"}, (*inner)(nil), []*inner{nil, {7, 8, "nine"}},
	map[string]int{"one": 1, "two": 2}, map[inner]*inner{{1, 1, "k"}: {2, 2, "v"}}, map[int]string(nil),
	when, []time.Time{when, {}}, View("in no heap"), Ref[counter]{ID{1, 2}},
	netip.MustParseAddr("fe80::1%eth0"), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	outer{
		Flag: true, Name: "outer", List: []inner{{1, 2, "3"}, {4, 5, "6"}}, Ptr: &inner{S: "ptr"},
		Grid: [2][]string{{"a", "b"}, nil}, When: when, Ref: Ref[counter]{ID{3, 4}}, Str: View("str"),
		Bytes: []byte{1, 2, 3}, M: map[string][]int{"x": {1, 2}}, Addr: netip.MustParseAddr("1.2.3.4"),
		Addrs: []*netip.AddrPort{nil}, Big: [3]float64{1, 2, 3}, Empty: make([]struct{}, 5),
	},
}

// arenas gives f an arena of n bytes in Go's heap and one in a proclet's.
func arenas(t testing.TB, n uintptr, f func(where string, a *arena)) {
	t.Helper()
	f("Go's heap", &arena{})
	inHeap(t, 1<<20, func(th *Thread, _ *root) {
		p, err := th.heap.AllocBytes(uint64(n))
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			*(*byte)(unsafe.Add(p, i)) = 0xa5
		}
		f("a proclet's heap", &arena{next: p, end: unsafe.Add(p, n), heap: true})
		if err := th.heap.Check(); err != nil {
			t.Fatal(err)
		}
		th.heap.Free(p)
	})
}

func TestPlansCopyAndEncode(t *testing.T) {
	for _, v := range values {
		typ := reflect.TypeOf(v)
		p, err := planOf(typ)
		if err != nil {
			t.Errorf("%v: %v", typ, err)
			continue
		}
		src := reflect.New(typ)
		src.Elem().Set(reflect.ValueOf(v))
		arenas(t, p.measure(src.UnsafePointer()), func(where string, a *arena) {
			dst := reflect.New(typ)
			if err := p.copy(dst.UnsafePointer(), src.UnsafePointer(), a); err != nil {
				t.Errorf("%v: %v", typ, err)
			}
			if got := dst.Elem().Interface(); !reflect.DeepEqual(got, v) {
				t.Errorf("%v copied into %s: %+v, want %+v", typ, where, got, v)
			}
			if a.heap && a.next != a.end {
				t.Errorf("%v: %d bytes were measured too many", typ, uintptr(a.end)-uintptr(a.next))
			}
		})

		b, err := p.encode(nil, src.UnsafePointer())
		if err != nil {
			t.Fatal(err)
		}
		n, d := uintptr(0), &decoder{b}
		if err := p.measureWire(d, &n); err != nil || len(d.b) != 0 {
			t.Errorf("%v: measureWire: %v, %d bytes left", typ, err, len(d.b))
		}
		arenas(t, n, func(where string, a *arena) {
			dst, d := reflect.New(typ), &decoder{b}
			if err := p.decode(dst.UnsafePointer(), d, a); err != nil || len(d.b) != 0 {
				t.Errorf("%v: %v, %d bytes left", typ, err, len(d.b))
			}
			if got := dst.Elem().Interface(); !reflect.DeepEqual(got, v) {
				t.Errorf("%v decoded into %s: %+v, want %+v", typ, where, got, v)
			}
		})
		// A message that is cut off anywhere is noticed.
		for i := range b {
			n, d := uintptr(0), &decoder{b[:i]}
			if err := p.measureWire(d, &n); !errors.Is(err, errMalformed) {
				t.Errorf("%v: %d of %d bytes: %v", typ, i, len(b), err)
				break
			}
		}
	}
}

// A copy shares nothing with the original, and what is in a proclet's heap
// points into that only.
func TestCopiesShareNothing(t *testing.T) {
	in := outer{Name: "name", List: []inner{{S: "s"}}, Ptr: &inner{S: "p"}, Bytes: []byte("b"), Grid: [2][]string{{"g"}}}
	p, err := planFor[outer]()
	if err != nil {
		t.Fatal(err)
	}
	arenas(t, p.measure(unsafe.Pointer(&in)), func(where string, a *arena) {
		start, end := a.next, a.end
		out := new(outer)
		if err := p.copy(unsafe.Pointer(out), unsafe.Pointer(&in), a); err != nil {
			t.Fatal(err)
		}
		for what, ptr := range map[string]unsafe.Pointer{
			"Name": unsafe.Pointer(unsafe.StringData(out.Name)), "List": unsafe.Pointer(&out.List[0]), "List.S": unsafe.Pointer(unsafe.StringData(out.List[0].S)),
			"Ptr": unsafe.Pointer(out.Ptr), "Ptr.S": unsafe.Pointer(unsafe.StringData(out.Ptr.S)),
			"Bytes": unsafe.Pointer(&out.Bytes[0]), "Grid": unsafe.Pointer(&out.Grid[0][0]),
		} {
			if inside := uintptr(ptr) >= uintptr(start) && uintptr(ptr) < uintptr(end); inside != a.heap {
				t.Errorf("%s: %s lies at %p, the arena at %p", where, what, ptr, start)
			}
		}
		if &out.Bytes[0] == &in.Bytes[0] || out.Ptr == in.Ptr {
			t.Errorf("%s: shared", where)
		}
	})
}

type cyclic struct{ Next *cyclic }

func TestTypesThatCannotBeCopied(t *testing.T) {
	for _, c := range []struct {
		typ  reflect.Type
		path string
	}{
		{reflect.TypeFor[func()](), "func() is a function"},
		{reflect.TypeFor[error](), "error is an interface"},
		{reflect.TypeFor[struct{ A []chan int }](), ".A[] is a channel"},
		{reflect.TypeFor[struct{ A struct{ B any } }](), ".A.B is an interface"},
		{reflect.TypeFor[map[string]func()](), "[] is a function"},
		{reflect.TypeFor[cyclic](), "(*proclet.cyclic.Next) is proclet.cyclic, which contains itself"},
		{reflect.TypeFor[struct{ M Map[String, int] }](), ".M is a Map[nuos/proclet.String,int], which stays"},
		{reflect.TypeFor[[]Slice[int]](), "[] is a Slice[int], which stays"},
		{reflect.TypeFor[Mutex](), "Mutex, which stays"},
		{reflect.TypeFor[unsafe.Pointer](), "a unsafe.Pointer"},
		{reflect.TypeFor[big.Int](), "big.nat"},
	} {
		_, err := planOf(c.typ)
		if c.typ == reflect.TypeFor[big.Int]() {
			if err != nil { // a struct of numbers and a slice is fine
				t.Errorf("%v: %v", c.typ, err)
			}
			continue
		}
		if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%v: %v, want %s", c.typ, err, c.path)
		}
	}
}

type badState struct {
	ok    int
	inner struct {
		names map[string][]int
	}
}

func TestStateTypes(t *testing.T) {
	for _, c := range []struct {
		typ  reflect.Type
		want string // "" if it can be a state type
	}{
		{reflect.TypeFor[counter](), ""},
		{reflect.TypeFor[root](), ""},
		{reflect.TypeFor[struct{}](), ""},
		{reflect.TypeFor[struct {
			A [3]float64
			R Ref[struct{ X string }]
			M Map[[2]uint16, Slice[Map[bool, Mutex]]]
		}](), ""},
		{reflect.TypeFor[int](), "int is not a struct"},
		{reflect.TypeFor[badState](), "proclet.badState.inner.names is a Go map; use proclet.Map[proclet.String, proclet.Slice[int]]"},
		{reflect.TypeFor[struct{ S string }](), ".S is a Go string; use proclet.String"},
		{reflect.TypeFor[struct{ S [][]byte }](), ".S is a Go slice; use proclet.Slice[proclet.Slice[uint8]]"},
		{reflect.TypeFor[struct{ P *int }](), ".P is a pointer; use"},
		{reflect.TypeFor[struct{ C chan int }](), ".C is a channel; use"},
		{reflect.TypeFor[struct{ F func() }](), ".F is a function; use"},
		{reflect.TypeFor[struct{ I any }](), ".I is an interface; use"},
		{reflect.TypeFor[struct{ T time.Time }](), ".T.loc is a pointer"},
		{reflect.TypeFor[struct{ M Map[String, *int] }](), ".M[] is a pointer"},
		{reflect.TypeFor[struct{ M Slice[Slice[string]] }](), ".M[][] is a Go string"},
		{reflect.TypeFor[struct{ M Map[string, int] }](), "key of struct"},
		{reflect.TypeFor[struct{ M Map[float64, int] }](), "can be equal with different bytes"},
		{reflect.TypeFor[struct {
			M Map[struct {
				A uint8
				B uint32
			}, int]
		}](), "padding"},
		{reflect.TypeFor[struct{ M Map[struct{ S String }, int] }](), "contains a String"},
	} {
		err := checkState(c.typ)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrType) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.typ, err, c.want)
		}
	}
	_, rts := newSegment(t, 1)
	if _, err := New[badState](rts[0].Current(), Options{}); !errors.Is(err, ErrType) {
		t.Errorf("New: %v", err)
	}
	if _, err := New[counter](rts[0].Current(), Options{Capacity: 1 << 60}); !errors.Is(err, mm.ErrHeapRange) {
		t.Errorf("New with an immense capacity: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	p, err := planFor[outer]()
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range values {
		if o, ok := v.(outer); ok {
			b, err := p.encode(nil, unsafe.Pointer(&o))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			f.Add(b[:len(b)/2])
			f.Add(bytes.Repeat([]byte{0xff}, 40))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, d := uintptr(0), &decoder{b}
		if p.measureWire(d, &n) != nil {
			return
		}
		if n > maxDecoded {
			t.Fatalf("%d bytes want %d", len(b), n)
		}
		if n > 1<<19 {
			return
		}
		arenas(t, n, func(_ string, a *arena) {
			var v outer
			if err := p.decode(unsafe.Pointer(&v), &decoder{b}, a); err != nil {
				return // a type's own encoding may be bad
			}
			again, err := p.encode(nil, unsafe.Pointer(&v))
			if err != nil {
				t.Fatal(err)
			}
			var w outer
			if err := p.decode(unsafe.Pointer(&w), &decoder{again}, &arena{}); err != nil || fmt.Sprintf("%+v", v.List) != fmt.Sprintf("%+v", w.List) || v.Name != w.Name {
				t.Fatalf("%+v, then %+v, %v", v, w, err)
			}
		})
	})
}

// Whatever another machine sends, there is an answer, and nothing is executed
// that is not a method.
func FuzzAnswer(f *testing.F) {
	_, rts := newSegment(f, 1)
	rt := rts[0]
	ref := mustNew[counter](f, rt.Current(), Options{})
	ct, err := typesOf(signatureOf[counter, int64, int64]{})
	if err != nil {
		f.Fatal(err)
	}
	fn := (*counter).Add
	m, err := identify(*(**closure)(unsafe.Pointer(&fn)))
	if err != nil {
		f.Fatal(err)
	}
	good := callMessage{id: ref.id, slot: 1, seq: 1, method: m, sig: ct.offset, inside: []ID{{1, 2}}}
	f.Add(append(good.append(nil), 1, 0, 0, 0, 0, 0, 0, 0))
	for _, change := range []func(*callMessage){
		func(c *callMessage) { c.id.Gen++ },
		func(c *callMessage) { c.method.code++ },
		func(c *callMessage) { c.method.dict = 64 },
		func(c *callMessage) { c.sig += 8 },
		func(c *callMessage) { c.sig = 1 << 60 },
	} {
		c := good
		change(&c)
		f.Add(append(c.append(nil), 1, 0, 0, 0, 0, 0, 0, 0))
	}
	f.Add(appendID([]byte{messageDestroy}, ID{5, 6}))
	f.Add(append(appendID([]byte{messageCreate}, ID{1 << 44, 1<<40 | 1}), 200, 1, 3, 1))
	f.Add([]byte{messageRelease, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) > 0 && msg[0] == messageCall {
			// Code and signature of the right kind but not of each other can be sent only by a
			// machine that has the rack's key and the same program: that is not checked.
			d := decoder{msg[1:]}
			if c, err := d.call(nil); err == nil && (c.method != good.method || c.sig != good.sig) {
				if _, err := implementation(c.sig, signature(signatureOf[struct{}, struct{}, struct{}]{})); err == nil {
					if _, err := c.method.function(); err == nil {
						return
					}
				}
			}
		}
		if answer := rt.answer(rt.self, msg); len(answer) == 0 {
			t.Fatal("no answer")
		}
		if r := rt.find(ref.id); r != nil {
			if err := r.heap.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
