package stackmap

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// rare is implemented by the types below, but nothing here says so to the
// compiler: the runtime has to make the itabs.
type rare interface{ rareMethod() int }

type rarity struct{ n int }

func (r *rarity) rareMethod() int { r.n++; return r.n }

// Pointers to these lie in the image and may travel.
var (
	theRarity   rarity
	anyRarity   any = &theRarity
	anyConstant any = reflect.Zero(reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: reflect.TypeFor[[3]int8]()},
		{Name: "B", Type: reflect.TypeFor[[5]int16]()},
	})).Interface()
)

const (
	local1 = "an interface value of type stackmap.rare with a *stackmap.rarity inside"
	local2 = "the type struct { A [3]int8; B [5]int16 }, made by package reflect"
)

var interfaceCases = []struct {
	name string
	f    func()
	want string
}{
	{"live", func() { r := anyRarity.(rare); leave(); keep(r) }, local1},
	{"method called later", func() { r := anyRarity.(rare); leave(); r.rareMethod() }, local1},
	{"dead", func() { r := anyRarity.(rare); keep(r); leave() }, ""},
	{"type used later", typeUsedLater, local1},
	{"compared with nil later", func() { r, ok := anyRarity.(rare); leave(); intSink = len(fmt.Sprint(ok, r == nil)) }, local1},
	{"array", rareArray, local1},
	{"array behind a pointer", func() { var a [3]rare; rareBehindPointer(&a) }, local1},
	{"dead array", func() { var a [3]rare; a[n-1] = anyRarity.(rare); keep(a[n-2]); leave() }, ""},
	{"array, address taken later", rareAddressLater, local1},
	{"struct, copied later", func() { rareCopied(&theRare) }, local1},
	{"arguments on the stack", func() { manyRare(1, anyRarity.(rare), 2, 3, 4, 5, 6, 7, 8, 9, 10) }, local1},
	{"argument in a register", func() { leaveWith(anyRarity.(rare)) }, local1},
	{"dead argument", func() { leaveWithout(anyRarity.(rare)) }, ""},
	{"result", func() { intSink = rareResult().rareMethod() }, local1},
	{"several spilled", severalRare, local1},
	{"captured", func() { r := anyRarity.(rare); call(func() int { return r.rareMethod() }) }, local1},
	{"method value", func() { call(anyRarity.(rare).rareMethod) }, local1},
	{"deferred", func() { r := anyRarity.(rare); defer r.rareMethod(); leave() }, local1},
	{"panic", func() { defer func() { leave(); recover() }(); panic(anyConstant) }, local2},
	{"made by reflect", func() { v := anyConstant; leave(); keep(v) }, local2},
	{"made by reflect, dead", func() { v := anyConstant; keep(v); leave() }, ""},
	{"made by reflect, behind a pointer", func() { v := [2]any{nil, anyConstant}; anyBehindPointer(&v) }, local2},
}

//go:noinline
func typeUsedLater() {
	r := anyRarity.(rare)
	leave()
	_, is := any(r).(*counter)
	keep(is)
}

//go:noinline
func rareArray() {
	var a [3]rare
	a[n-1] = anyRarity.(rare)
	leave()
	keep(a[n-2])
}

//go:noinline
func rareAddressLater() {
	a := [3]rare{2: anyRarity.(rare)}
	leave()
	useRares(&a)
}

//go:noinline
func useRares(a *[3]rare) { keep(a[n-1]) }

type rareStruct struct {
	before [5]int
	r      rare
	after  [5]int
}

var theRare, otherRare rareStruct

func init() { theRare.r = anyRarity.(rare) }

//go:noinline
func rareCopied(p *rareStruct) {
	s := *p
	leave()
	otherRare = s
}

//go:noinline
func rareBehindPointer(a *[3]rare) {
	a[n-1] = anyRarity.(rare)
	leave()
	keep(a[n-1])
}

//go:noinline
func anyBehindPointer(a *[2]any) {
	leave()
	keep(a[n-2])
}

//go:noinline
func manyRare(a int, r rare, b, c, d, e, f, g, h, i, j int) int {
	leave()
	return a + b + c + d + e + f + g + h + i + j + r.rareMethod()
}

//go:noinline
func leaveWith(r rare) { leave(); keep(r) }

//go:noinline
func leaveWithout(r rare) { keep(r); leave() }

//go:noinline
func rareResult() (r rare) {
	defer func() { recover() }()
	r = anyRarity.(rare)
	leave()
	return r
}

//go:noinline
func severalRare() {
	a := anyRarity.(rare)
	b, c := a.rareMethod(), n
	d, e := anyRarity.(rare), anyRarity
	leave()
	keep(e)
	intSink = d.rareMethod() + b + c
}

func TestInterfaces(t *testing.T) {
	for _, c := range interfaceCases {
		t.Run(c.name, func(t *testing.T) { expect(t, run(t, c.f), c.want) })
	}
}

// smear leaves w in all words of the next calls' frames.
//
//go:noinline
func smear(w uintptr) {
	var a [3000]uintptr
	for i := range a {
		a[i] = w
	}
	keep(&a)
}

// What earlier calls left behind refuses nothing.
func TestLeftOvers(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool {
		return s.Key == "-gcflags" && strings.Contains(s.Value, "-N")
	}) {
		t.Skip("without optimization all variables are in memory, and code that takes the address of one may read others")
	}
	r := anyRarity.(rare)
	left := map[string]uintptr{
		"itab": *(*uintptr)(unsafe.Pointer(&r)),
		"type": *(*uintptr)(unsafe.Pointer(&anyConstant)),
		"heap": uintptr(reflect.ValueOf(new(int)).Pointer()),
	}
	for name, w := range left {
		if name != "heap" && (!suspicious(w) || !local(w)) {
			t.Fatalf("local(%s) = false; want true", name)
		}
		for _, c := range cases {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				expect(t, run(t, func() { smear(w); c.f() }), c.want)
			})
		}
	}
}

// All that reflect makes is recognized, and nothing that the compiler made.
func TestMadeTypes(t *testing.T) {
	type unheardOf struct{ a [9]int16 }
	of, pointer := reflect.TypeFor[unheardOf](), reflect.TypeFor[*int]()
	made := 0
	for _, typ := range []reflect.Type{
		of, pointer, reflect.TypeFor[error](), reflect.TypeFor[func(string) error](),
		reflect.PointerTo(reflect.PointerTo(of)), reflect.ChanOf(reflect.BothDir, of), reflect.FuncOf([]reflect.Type{of}, nil, false),
		reflect.MapOf(of, of), reflect.SliceOf(of), reflect.ArrayOf(3, of), reflect.ArrayOf(1, pointer),
		reflect.StructOf([]reflect.StructField{{Name: "A", Type: pointer}}),
		reflect.StructOf([]reflect.StructField{{Name: "Refusal", Anonymous: true, Type: reflect.TypeFor[*Refusal]()}}),
	} {
		p := (*[2]uintptr)(unsafe.Pointer(&typ))[1] // a *rtype
		want := !verifyNotInHeapPtr(p)
		if want {
			made++
		}
		if got := suspicious(p) && local(p); got != want {
			t.Errorf("local(%v) = %v; want %v", typ, got, want)
		}
	}
	if made != 9 {
		t.Errorf("%d types were made; want 9", made)
	}
}
