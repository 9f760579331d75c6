package proclet

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"nuos/mm"
)

// seeded returns a random source and logs how to get it again.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// root is what container tests have in their proclet.
type root struct {
	words Map[String, String]
	ints  Map[uint32, uint64]
	list  Slice[int32]
	texts Slice[String]
	tree  Map[String, branch]
	text  String
}

// branch is a type that contains itself through a container.
type branch struct {
	name  String
	sizes Slice[int64]
	below Map[String, branch]
	two   [2]String
}

// inHeap runs f in a heap of its own with a root.
func inHeap(t testing.TB, capacity uint64, f func(th *Thread, s *root)) {
	t.Helper()
	inHeapOf(t, capacity, f)
}

// inHeapOf runs f in a heap of its own, as a method on its root would run, and
// checks that the heap is sound, and empty if f leaves the root empty.
func inHeapOf[S comparable](t testing.TB, capacity uint64, f func(th *Thread, s *S)) {
	t.Helper()
	testMu.Lock()
	testHeap = (testHeap + mm.Virt(capacity) - 1) &^ (mm.Virt(capacity) - 1)
	r := mm.Range{Base: testHeap, Size: capacity}
	testHeap = r.End()
	testMu.Unlock()
	h, err := mm.CreateHeap(r, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	var zero S
	p, err := h.Alloc(uint64(unsafe.Sizeof(zero)))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Destroy()
	f(&Thread{heap: h}, (*S)(p))
	if err := h.Check(); err != nil {
		t.Fatal(err)
	}
	if *(*S)(p) == zero {
		h.Free(p)
		if s := h.Stats(); s.Used != 0 {
			t.Errorf("%d bytes are left in the heap", s.Used)
		}
	}
}

func TestMapAgainstGo(t *testing.T) {
	rng := seeded(t)
	inHeap(t, 16<<20, func(th *Thread, s *root) {
		want := map[string]string{}
		m := &s.words
		for step := range 60000 {
			k := fmt.Sprint(rng.IntN(3000))
			switch op := rng.IntN(10); {
			case op < 5 || step < 5000 && op < 8:
				v := strings.Repeat("v", rng.IntN(60)) + k
				if err := m.Put(th, View(k), View(v)); err != nil {
					t.Fatal(err)
				}
				want[k] = v
			case op < 8 || step > 40000 && op < 9:
				_, there := want[k]
				if got := m.Delete(th, View(k)); got != there {
					t.Fatalf("Delete(%s) = %v, want %v", k, got, there)
				}
				delete(want, k)
			default:
				v, there := want[k]
				if got := m.Get(View(k)); there != (got != nil) || there && got.String() != v {
					t.Fatalf("Get(%s) = %v, want %q, %v", k, got, v, there)
				}
			}
			if m.Len() != len(want) {
				t.Fatalf("Len = %d, want %d", m.Len(), len(want))
			}
			if step%5000 == 0 {
				compareMaps(t, m, want)
			}
		}
		compareMaps(t, m, want)
		// Deleting what is at hand, on the way, until it is empty.
		for k := range m.All() {
			if _, there := want[k.Clone()]; !there {
				t.Fatalf("All gave %v twice, or never put", k)
			}
			delete(want, k.Clone())
			m.Delete(th, *k)
		}
		if len(want) != 0 || m.Len() != 0 || m.table.buckets != firstBuckets {
			t.Errorf("%d entries were not given, %d are left in %d buckets", len(want), m.Len(), m.table.buckets)
		}
		m.Clear(th)
	})
}

func compareMaps(t *testing.T, m *Map[String, String], want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for k, v := range m.All() {
		if _, twice := got[k.Clone()]; twice {
			t.Fatalf("All gave %v twice", k)
		}
		got[k.Clone()] = v.Clone()
	}
	if !maps.Equal(got, want) {
		t.Fatalf("All gave %d entries, which differ from the %d wanted", len(got), len(want))
	}
}

func TestMapOfNumbers(t *testing.T) {
	rng := seeded(t)
	inHeap(t, 16<<20, func(th *Thread, s *root) {
		want := map[uint32]uint64{}
		for range 50000 {
			k := rng.Uint32N(10000)
			if rng.IntN(3) == 0 {
				s.ints.Delete(th, k)
				delete(want, k)
			} else {
				v, err := s.ints.Entry(th, k)
				if err != nil {
					t.Fatal(err)
				}
				*v += uint64(k) + 1
				want[k] += uint64(k) + 1
			}
		}
		got := map[uint32]uint64{}
		for k, v := range s.ints.All() {
			got[*k] = *v
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d entries differ from the %d wanted", len(got), len(want))
		}
		s.ints.Clear(th)
	})
}

// Scan gives every entry that is there all the time exactly once, while the map
// grows and shrinks.
func TestMapScan(t *testing.T) {
	rng := seeded(t)
	for _, n := range []int{0, 1, 7, 8, 9, 100, 5000} {
		inHeap(t, 16<<20, func(th *Thread, s *root) {
			for i := range n {
				if err := s.ints.Put(th, uint32(i), 0); err != nil {
					t.Fatal(err)
				}
			}
			seen := map[uint32]int{}
			other := uint32(1 << 20)
			for cursor, round := uint64(0), 0; ; round++ {
				if cursor = s.ints.Scan(cursor, 1+rng.IntN(20), func(k *uint32, _ *uint64) { seen[*k]++ }); cursor == 0 {
					break
				}
				if cursor >= 1<<32 {
					t.Fatalf("cursor %#x", cursor)
				}
				for range rng.IntN(200) {
					if other++; s.ints.Put(th, other, 1) != nil {
						t.Fatal("full")
					}
				}
				if round%5 == 4 {
					for ; other > 1<<20; other-- {
						s.ints.Delete(th, other)
					}
				}
			}
			for i := range n {
				if seen[uint32(i)] != 1 {
					t.Fatalf("n=%d: %d was given %d times", n, i, seen[uint32(i)])
				}
			}
			s.ints.Clear(th)
		})
	}
}

func FuzzMap(f *testing.F) {
	f.Add([]byte("put some get some delete some"))
	f.Add(slices.Repeat([]byte{0, 1, 2, 3, 0x81, 0x82}, 20))
	f.Fuzz(func(t *testing.T, ops []byte) {
		inHeap(t, 1<<20, func(th *Thread, s *root) {
			want := map[string]string{}
			for i, op := range ops {
				k := fmt.Sprint(op & 0x3f)
				if op&0x80 != 0 {
					s.words.Delete(th, View(k))
					delete(want, k)
				} else {
					v := fmt.Sprint(i)
					if s.words.Put(th, View(k), View(v)) == nil {
						want[k] = v
					}
				}
			}
			compareMaps(t, &s.words, want)
			s.words.Clear(th)
		})
	})
}

// Everything inside everything, freed at once.
func TestNestedContainers(t *testing.T) {
	inHeap(t, 4<<20, func(th *Thread, s *root) {
		var fill func(m *Map[String, branch], depth int)
		fill = func(m *Map[String, branch], depth int) {
			for i := range 4 {
				b, err := m.Entry(th, View(fmt.Sprint("key", i)))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(b.name.Set(th, "name"), b.sizes.Append(th, 1, 2, 3), b.two[1].Set(th, "two")); err != nil {
					t.Fatal(err)
				}
				if depth > 0 {
					fill(&b.below, depth-1)
				}
			}
		}
		fill(&s.tree, 3)
		b := s.tree.Get(View("key2")).below.Get(View("key3"))
		if b == nil || b.name.String() != "name" || *b.sizes.At(2) != 3 || b.two[1].String() != "two" || b.below.Len() != 4 {
			t.Errorf("branch %+v", b)
		}
		if err := s.tree.Put(th, View("copy"), *b); !errors.Is(err, errNotEmpty) {
			t.Errorf("Put of a value with full containers: %v", err)
		}
		if err := s.tree.Put(th, View("key1"), branch{name: View("replaced"), two: [2]String{View("a"), View("b")}}); err != nil {
			t.Fatal(err)
		}
		if b := s.tree.Get(View("key1")); b.name.String() != "replaced" || b.two[1].String() != "b" || b.below.Len() != 0 {
			t.Errorf("replaced branch %+v", b)
		}
		s.tree.Delete(th, View("key0"))
		s.tree.Clear(th)
	})
}

func TestFullHeapLeavesContainersAlone(t *testing.T) {
	inHeap(t, mm.MinHeap, func(th *Thread, s *root) {
		want := map[string]string{}
		full := 0
		for i := 0; full < 30; i++ {
			k, v := fmt.Sprint(i), strings.Repeat("v", 1+i%700)
			err := s.words.Put(th, View(k), View(v))
			switch {
			case err == nil:
				want[k] = v
			case errors.Is(err, ErrHeapFull):
				full++
			default:
				t.Fatal(err)
			}
		}
		compareMaps(t, &s.words, want)
		large := strings.Repeat("x", mm.MinHeap/2)
		for k := range want { // replacing fails as well
			if err := s.words.Put(th, View(k), View(large)); !errors.Is(err, ErrHeapFull) {
				t.Fatal(err)
			}
			if err := s.words.Get(View(k)).Append(th, large); !errors.Is(err, ErrHeapFull) {
				t.Fatal(err)
			}
		}
		if err := s.texts.Append(th, View("a"), View(large)); !errors.Is(err, ErrHeapFull) || s.texts.Len() != 0 {
			t.Errorf("Append: %v, Len %d", err, s.texts.Len())
		}
		if err := s.text.Set(th, large); !errors.Is(err, ErrHeapFull) || s.text.Len() != 0 {
			t.Errorf("Set: %v", err)
		}
		compareMaps(t, &s.words, want)
		s.words.Clear(th)
		s.texts.Free(th)
	})
}

func TestReadingAllocatesNothing(t *testing.T) {
	inHeap(t, 1<<20, func(th *Thread, s *root) {
		keys := []string{"alpha", "beta", "gamma", strings.Repeat("k", 100)}
		for i, k := range keys {
			if err := errors.Join(s.words.Put(th, View(k), View(k)), s.ints.Put(th, uint32(i), 7), s.texts.Append(th, View(k))); err != nil {
				t.Fatal(err)
			}
		}
		b := []byte("gamma")
		n := 0
		for what, f := range map[string]func(){
			"Map.Get of strings": func() { n += s.words.Get(View(keys[3])).Len() },
			"Map.Get of bytes":   func() { n += len(s.words.Get(ViewBytes(b)).String()) },
			"Map.Get of numbers": func() { n += int(*s.ints.Get(2)) },
			"Map.Has":            func() { s.words.Has(View("delta")) },
			"Slice.At":           func() { n += s.texts.At(1).Len() },
			"Map.Put in place":   func() { s.ints.Put(th, 3, 8) },
			"Map.Put of strings": func() { s.words.Put(th, View("beta"), View("x")) },
			"Map.All": func() {
				for _, v := range s.words.All() {
					n += v.Len()
				}
			},
		} {
			if got := testing.AllocsPerRun(100, f); got != 0 {
				t.Errorf("%s: %v allocations", what, got)
			}
		}
		s.words.Clear(th)
		s.ints.Clear(th)
		s.texts.Free(th)
	})
}
