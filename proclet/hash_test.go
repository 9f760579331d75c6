package proclet

import (
	"fmt"
	"reflect"
	"testing"
	"unsafe"
)

// The layout that code without types uses is the compiler's.
func TestNodeLayout(t *testing.T) {
	check := func(got nodeLayout, key, value uintptr) {
		t.Helper()
		if got != (nodeLayout{key, value}) {
			t.Errorf("layout %v, want %d, %d", got, key, value)
		}
	}
	var a node[String, String]
	check(layoutFor[String, String](), unsafe.Offsetof(a.key), unsafe.Offsetof(a.value))
	var b node[uint8, uint64]
	check(layoutFor[uint8, uint64](), unsafe.Offsetof(b.key), unsafe.Offsetof(b.value))
	var c node[[3]uint16, branch]
	check(layoutFor[[3]uint16, branch](), unsafe.Offsetof(c.key), unsafe.Offsetof(c.value))
	var d node[uint32, bool]
	check(layoutFor[uint32, bool](), unsafe.Offsetof(d.key), unsafe.Offsetof(d.value))
}

// Hashes decide where things are, also for those who made them with an earlier
// program: they must not change.
func TestHash(t *testing.T) {
	for s, want := range map[string]uint64{
		"":                              0x4b24d35cba4a63b0,
		"a":                             0x2086f604fcf37a79,
		"four":                          0xac3a47546bbabe6f,
		"eight by":                      0x82e620a42e6995da,
		"sixteen bytes it":              0x9ac99674e7a764d9,
		"more than sixteen bytes of it": 0x9032e55832a8db27,
	} {
		if got := Hash(s); got != want || hashBytes([]byte(s), 0) != want {
			t.Errorf("Hash(%q) = %#x, want %#x", s, got, want)
		}
	}
	// Close keys spread evenly over 64 buckets, whichever bits choose them.
	for _, shift := range []int{0, 20, 58} {
		var count [64]int
		for i := range 64000 {
			count[Hash(fmt.Sprintf("key:%012d", i))>>shift%64]++
		}
		for b, n := range count {
			if n < 800 || n > 1200 {
				t.Errorf("bits %d: bucket %d has %d keys of 64000, expected about 1000", shift, b, n)
			}
		}
	}
}

func layoutFor[K, V any]() nodeLayout { return layoutOf(reflect.TypeFor[K](), reflect.TypeFor[V]()) }
