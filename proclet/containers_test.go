package proclet

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
)

// zoo has a container of each kind, with elements that own memory.
type zoo struct {
	set    Set[String]
	sorted OrderedMap[String, String]
	deque  Deque[String]
	queue  Heap[job]
	list   Slice[String]
	bytes  Bytes
	ptr    Ptr[chain]
	crate  Ptr[crate]
}

// free empties z.
func (z *zoo) free(t *Thread) { Free(t, z) }

// job is ordered by a method.
type job struct {
	due  int64
	name String
}

func (a job) Compare(b job) int {
	return cmp.Or(cmp.Compare(a.due, b.due), strings.Compare(a.name.s, b.name.s))
}

// chain is a list.
type chain struct {
	name String
	next Ptr[chain]
}

// crate holds one of everything that can be in something else.
type crate struct {
	sets    Map[uint32, Set[uint64]]
	sorted  OrderedMap[job, Deque[Bytes]]
	queues  Slice[Heap[String]]
	self    Ptr[crate]
	numbers OrderedMap[int16, Ptr[crate]]
}

// zooModel is a zoo and what should be in it.
type zooModel struct {
	testing.TB
	t      *Thread
	z      *zoo
	set    map[string]bool
	sorted map[string]string
	deque  []string
	queue  []job
	list   []string
	bytes  []byte
}

// must reports whether err is nil; ErrHeapFull is the only error there may be.
func (m *zooModel) must(err error) bool {
	m.Helper()
	if err != nil && !errors.Is(err, ErrHeapFull) {
		m.Fatal(err)
	}
	return err == nil
}

func (m *zooModel) equal(what string, got, want any) {
	m.Helper()
	if got, want := fmt.Sprint(got), fmt.Sprint(want); got != want {
		m.Fatalf("%s: %s, want %s", what, got, want)
	}
}

// step does what op says with an argument.
func (m *zooModel) step(op, arg byte) {
	t, z := m.t, m.z
	k := fmt.Sprint(arg % 64)
	text := strings.Repeat(k, 1+int(arg)/16)
	switch op % 24 {
	case 0, 1:
		if m.must(z.set.Add(t, View(k))) {
			m.set[k] = true
		}
	case 2:
		m.equal("Set.Delete", z.set.Delete(t, View(k)), m.set[k])
		delete(m.set, k)
	case 3, 4, 5:
		if m.must(z.sorted.Put(t, View(k), View(text))) {
			m.sorted[k] = text
		}
	case 6:
		_, there := m.sorted[k]
		m.equal("OrderedMap.Delete", z.sorted.Delete(t, View(k)), there)
		delete(m.sorted, k)
	case 7:
		m.nearest(k)
	case 8, 9:
		if m.must(z.deque.PushBack(t, View(text))) {
			m.deque = append(m.deque, text)
		}
	case 10:
		if m.must(z.deque.PushFront(t, View(text))) {
			m.deque = slices.Insert(m.deque, 0, text)
		}
	case 11, 12:
		s, ok := z.deque.PopFront(t)
		m.equal("PopFront", ok, len(m.deque) > 0)
		if ok {
			m.equal("PopFront", s, m.deque[0])
			m.deque = m.deque[1:]
		}
		s.Free(t)
	case 13:
		s, ok := z.deque.PopBack(t)
		if ok {
			m.equal("PopBack", s, m.deque[len(m.deque)-1])
			m.deque = m.deque[:len(m.deque)-1]
		}
		s.Free(t)
	case 14, 15:
		if m.must(z.queue.Push(t, job{int64(arg), View(text)})) {
			m.queue = append(m.queue, job{int64(arg), View(text)})
		}
	case 16:
		j, ok := z.queue.Pop(t)
		m.equal("Pop", ok, len(m.queue) > 0)
		if ok {
			want := slices.MinFunc(m.queue, job.Compare)
			m.equal("Pop", j, want)
			i := slices.Index(m.queue, want)
			m.queue = slices.Delete(m.queue, i, i+1)
		}
		Free(t, &j)
	case 17, 18:
		i := int(arg) % (len(m.list) + 1)
		if m.must(z.list.Insert(t, i, View(text), View(k))) {
			m.list = slices.Insert(m.list, i, text, k)
		}
	case 19:
		i := int(arg) % (len(m.list) + 1)
		j := min(i+int(arg)%3, len(m.list))
		z.list.Delete(t, i, j)
		m.list = slices.Delete(m.list, i, j)
	case 20:
		z.list.Sort(t, func(a, b String) int { return cmp.Compare(a.s, b.s) })
		slices.Sort(m.list)
		i, found := z.list.Search(func(s *String) int { return cmp.Compare(s.s, k) })
		wantAt, want := slices.BinarySearch(m.list, k)
		m.equal("Search", fmt.Sprint(i, found), fmt.Sprint(wantAt, want))
	case 21:
		if arg < 20 {
			z.bytes.Truncate(len(m.bytes) / 2)
			m.bytes = m.bytes[:len(m.bytes)/2]
		} else if half := z.bytes.Len() / 2; len(m.bytes) < 2000 && m.must(z.bytes.Append(t, z.bytes.Bytes()[half:])) { // of itself
			m.bytes = append(m.bytes, m.bytes[half:]...)
		}
	case 22:
		if m.must(z.bytes.Set(t, []byte(text))) {
			m.bytes = []byte(text)
		}
	case 23:
		if arg == 0 {
			z.sorted.Clear(t)
			z.set.Clear(t)
			clear(m.sorted)
			clear(m.set)
		}
	}
}

// nearest looks for the neighbours of k.
func (m *zooModel) nearest(k string) {
	keys := slices.Sorted(maps.Keys(m.sorted))
	i, found := slices.BinarySearch(keys, k)
	text := func(k *String, v *String) string {
		if k == nil {
			return "none"
		}
		return k.s + "=" + v.s
	}
	want := func(i int) string {
		if i < 0 || i >= len(keys) {
			return "none"
		}
		return keys[i] + "=" + m.sorted[keys[i]]
	}
	m.equal("Ceiling", text(m.z.sorted.Ceiling(View(k))), want(i))
	floor := i - 1
	if found {
		floor = i
	}
	m.equal("Floor", text(m.z.sorted.Floor(View(k))), want(floor))
	m.equal("First", text(m.z.sorted.First()), want(0))
	m.equal("Last", text(m.z.sorted.Last()), want(len(keys)-1))
	m.equal("From", keysIn(m.z.sorted.From(View(k))), keys[i:])
	below := slices.Clone(keys[:floor+1])
	slices.Reverse(below)
	m.equal("BackwardFrom", keysIn(m.z.sorted.BackwardFrom(View(k))), below)
	end, _ := slices.BinarySearch(keys, k+"5")
	m.equal("Range", keysIn(m.z.sorted.Range(View(k), View(k+"5"))), keys[i:end])
}

func keysIn(all iter.Seq2[*String, *String]) (keys []string) {
	for k := range all {
		keys = append(keys, k.Clone())
	}
	return keys
}

func textsIn(all iter.Seq[*String]) (texts []string) {
	for s := range all {
		texts = append(texts, s.Clone())
	}
	return texts
}

// compare compares everything.
func (m *zooModel) compare() {
	m.Helper()
	z := m.z
	m.equal("Set", slices.Sorted(slices.Values(textsIn(z.set.All()))), slices.Sorted(maps.Keys(m.set)))
	keys := slices.Sorted(maps.Keys(m.sorted))
	m.equal("OrderedMap.All", keysIn(z.sorted.All()), keys)
	for _, k := range keys {
		m.equal("OrderedMap.Get", z.sorted.Get(View(k)), m.sorted[k])
	}
	slices.Reverse(keys)
	m.equal("OrderedMap.Backward", keysIn(z.sorted.Backward()), keys)
	m.equal("lengths", []int{z.set.Len(), z.sorted.Len(), z.deque.Len(), z.queue.Len(), z.list.Len()},
		[]int{len(m.set), len(m.sorted), len(m.deque), len(m.queue), len(m.list)})
	m.equal("Deque.All", textsIn(z.deque.All()), m.deque)
	back := slices.Clone(m.deque)
	slices.Reverse(back)
	m.equal("Deque.Backward", textsIn(z.deque.Backward()), back)
	if len(m.deque) > 0 {
		m.equal("ends", []string{z.deque.Front().s, z.deque.Back().s, z.deque.At(len(m.deque) / 2).s},
			[]string{m.deque[0], back[0], m.deque[len(m.deque)/2]})
	}
	var jobs []job
	for j := range z.queue.All() {
		jobs = append(jobs, *j)
	}
	slices.SortFunc(jobs, job.Compare)
	m.equal("Heap", jobs, slices.SortedFunc(slices.Values(m.queue), job.Compare))
	var list []string
	for _, s := range z.list.All() {
		list = append(list, s.s)
	}
	m.equal("Slice", list, m.list)
	if !bytes.Equal(z.bytes.Clone(), m.bytes) {
		m.Fatalf("Bytes %q, want %q", z.bytes.Bytes(), m.bytes)
	}
}

func newZooModel(t testing.TB, th *Thread, z *zoo) *zooModel {
	return &zooModel{TB: t, t: th, z: z, set: map[string]bool{}, sorted: map[string]string{}}
}

func TestContainersAgainstGo(t *testing.T) {
	rng := seeded(t)
	inHeapOf(t, 1<<20, func(th *Thread, z *zoo) {
		m := newZooModel(t, th, z)
		for i := range 30000 {
			m.step(byte(rng.Uint32()), byte(rng.Uint32()))
			if i%1000 == 0 {
				m.compare()
				if err := th.heap.Check(); err != nil {
					t.Fatal(err)
				}
			}
		}
		m.compare()
		z.free(th)
	})
}

// FuzzContainers does the same in a heap that is soon full.
func FuzzContainers(f *testing.F) {
	f.Add([]byte("put some get some delete some, and take what is left"))
	f.Add(slices.Repeat([]byte{3, 1, 3, 2, 6, 1, 7, 2, 14, 9, 14, 8, 16, 0, 10, 3, 11, 0, 17, 5, 20, 1}, 8))
	f.Add(slices.Repeat([]byte{8, 255, 14, 254, 4, 253, 17, 252, 0, 251, 21, 250}, 300))
	f.Fuzz(func(t *testing.T, ops []byte) {
		inHeapOf(t, 64<<10, func(th *Thread, z *zoo) {
			m := newZooModel(t, th, z)
			for i := 0; i+1 < len(ops); i += 2 {
				m.step(ops[i], ops[i+1])
			}
			m.compare()
			z.free(th)
		})
	})
}

// Everything inside everything, freed at once.
func TestContainersInContainers(t *testing.T) {
	inHeapOf(t, 4<<20, func(th *Thread, z *zoo) {
		check := func(errs ...error) {
			t.Helper()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
		}
		var fill func(b *crate, depth int)
		fill = func(b *crate, depth int) {
			set, err := b.sets.Entry(th, 7)
			check(err, set.Add(th, 1), set.Add(th, 2))
			d, err := b.sorted.Entry(th, job{5, View("five")})
			check(err, d.PushBack(th, BytesOf([]byte("copied"))), d.PushFront(th, BytesOf([]byte("first"))))
			check(b.queues.Append(th, Heap[String]{}, Heap[String]{}), b.queues.At(1).Push(th, View("urgent")))
			if depth == 0 {
				return
			}
			for i := range int16(3) {
				p, err := b.numbers.Entry(th, i-1)
				check(err)
				below, err := p.New(th)
				check(err)
				fill(below, depth-1)
			}
			below, err := b.self.New(th)
			check(err)
			fill(below, depth-1)
		}
		b, err := z.crate.New(th)
		check(err)
		fill(b, 3)
		b = (*b.numbers.Get(-1)).Get().self.Get()
		if got := string(b.sorted.Get(job{5, View("five")}).Back().Bytes()); got != "copied" {
			t.Errorf("deque holds %q", got)
		}
		if !b.sets.Get(7).Has(2) || b.queues.At(1).First().s != "urgent" {
			t.Error("set or queue is wrong")
		}
		// What is not empty is not copied; it has one owner.
		var other Ptr[crate]
		if err := other.Set(th, *b); !errors.Is(err, errNotEmpty) {
			t.Errorf("Set of a full value: %v", err)
		}
		moved := b.self.Take()
		if b.self.Get() != nil || moved.Get() == nil {
			t.Error("Take left the object behind")
		}
		moved.Free(th)
		z.free(th)
	})
}

// A list of a million objects is freed without recursion.
func TestLongListIsFreed(t *testing.T) {
	inHeapOf(t, 256<<20, func(th *Thread, z *zoo) {
		for range 1000000 {
			rest := z.ptr.Take()
			c, err := z.ptr.New(th)
			if err != nil {
				t.Fatal(err)
			}
			c.next = rest
		}
		z.free(th)
	})
}

// Containers are changed while they are iterated over.
func TestChangesWhileIterating(t *testing.T) {
	rng := seeded(t)
	inHeapOf(t, 4<<20, func(th *Thread, z *zoo) {
		for round := range 200 {
			var stay, seen []string
			for i := range 100 {
				k := fmt.Sprintf("%03d", i*10)
				if err := errors.Join(z.sorted.Put(th, View(k), View(k)), z.set.Add(th, View(k))); err != nil {
					t.Fatal(err)
				}
			}
			gone := map[string]bool{}
			change := func() {
				for range rng.IntN(4) {
					k := fmt.Sprintf("%03d", rng.IntN(1000))
					if rng.IntN(2) == 0 {
						gone[k] = true
						z.sorted.Delete(th, View(k))
						z.set.Delete(th, View(k))
					} else if err := errors.Join(z.sorted.Put(th, View(k), View("new")), z.set.Add(th, View(k))); err != nil {
						t.Fatal(err)
					}
				}
			}
			given := map[string]int{}
			if round%3 == 0 {
				for k := range z.set.All() {
					given[k.Clone()]++
					change()
				}
			} else {
				all := z.sorted.All()
				if round%3 == 1 {
					all = z.sorted.Backward()
				}
				for k := range all {
					seen = append(seen, k.Clone())
					given[k.Clone()]++
					change()
				}
				if round%3 == 1 {
					slices.Reverse(seen)
				}
				if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
					t.Fatalf("iteration gave %v", seen)
				}
			}
			for i := range 100 {
				if k := fmt.Sprintf("%03d", i*10); !gone[k] {
					stay = append(stay, k)
				}
			}
			for _, k := range stay {
				if given[k] != 1 {
					t.Fatalf("round %d: %s, which was there all the time, was given %d times", round, k, given[k])
				}
			}
			if round%10 == 0 {
				for range z.sorted.All() { // cleared, and filled again, from inside
					z.sorted.Clear(th)
					if err := z.sorted.Put(th, View("~"), View("")); err != nil {
						t.Fatal(err)
					}
					if z.sorted.Len() > 1 {
						t.Fatal("not cleared")
					}
				}
			}
		}
		var turns int
		for range 5 {
			z.deque.PushBack(th, View("x"))
		}
		for range z.deque.All() { // each turn takes two and adds one
			turns++
			for range 2 {
				s, _ := z.deque.PopFront(th)
				s.Free(th)
			}
			if turns < 3 {
				z.deque.PushBack(th, View("y"))
			}
		}
		if turns != 4 || z.deque.Len() != 0 {
			t.Errorf("%d turns, %d elements left", turns, z.deque.Len())
		}
		z.free(th)
	})
}

// A panic in the middle leaves containers usable.
func TestPanicWhileIterating(t *testing.T) {
	inHeapOf(t, 1<<20, func(th *Thread, z *zoo) {
		attempt := func(f func()) (v any) {
			defer func() { v = recover() }()
			f()
			return nil
		}
		for _, k := range []string{"b", "a", "c"} {
			if err := errors.Join(z.sorted.Put(th, View(k), View(k)), z.list.Append(th, View(k))); err != nil {
				t.Fatal(err)
			}
		}
		attempt(func() {
			for k := range z.sorted.All() {
				z.sorted.Delete(th, *k)
				panic("body")
			}
		})
		if got := keysIn(z.sorted.All()); !slices.Equal(got, []string{"b", "c"}) || z.sorted.list.iterating.Load() != 0 {
			t.Errorf("%v are left", got)
		}
		attempt(func() { z.list.Sort(th, func(a, b String) int { panic("compare") }) })
		if z.list.Len() != 3 {
			t.Errorf("%d elements are left", z.list.Len())
		}
		if attempt(func() {
			z.list.Sort(th, func(a, b String) int {
				if z.list.Len() == 0 {
					z.list.Append(th, View("intruder"))
				}
				return cmp.Compare(a.s, b.s)
			})
		}) == nil || z.list.Len() != 3 {
			t.Error("a slice was changed while it was being sorted")
		}
		for what, f := range map[string]func(){
			"At": func() { z.list.At(3) }, "Insert": func() { z.list.Insert(th, 4) }, "Delete": func() { z.list.Delete(th, 2, 4) },
			"Deque.At": func() { z.deque.At(0) }, "Truncate": func() { z.bytes.Truncate(1) },
		} {
			if attempt(f) == nil {
				t.Errorf("%s out of range did not panic", what)
			}
		}
	})
}

func TestOrders(t *testing.T) {
	type byte8 uint8
	for what, got := range map[string]ordering{
		"int": orderingOf[int](), "named": orderingOf[byte8](), "float32": orderingOf[float32](), "String": orderingOf[String](),
		"method": orderingOf[job](), "array": orderingOf[[2]int](), "struct": orderingOf[chain](), "uintptr": orderingOf[uintptr](),
	} {
		want := map[string]ordering{"int": byInt64, "named": byUint8, "float32": byFloat32, "String": byString, "method": byMethod, "uintptr": byUint64}[what]
		if got != want {
			t.Errorf("%s: ordering %d, want %d", what, got, want)
		}
	}
	type disordered struct{ q Heap[[2]int] }
	_, rts := newSegment(t, 1)
	if _, err := New[disordered](rts[0].Current(), Options{}); !errors.Is(err, ErrType) || !strings.Contains(err.Error(), "Compare([2]int) int") {
		t.Errorf("a Heap of elements without an order: %v", err)
	}
	if _, err := New[zoo](rts[0].Current(), Options{}); err != nil {
		t.Error(err)
	}
	inHeapOf(t, 1<<20, func(th *Thread, s *struct{ m OrderedMap[float64, int8] }) {
		for i := range 100 {
			if err := s.m.Put(th, float64(50-i)/3, int8(i)); err != nil {
				t.Fatal(err)
			}
		}
		last := -1e9
		for k := range s.m.All() {
			if *k <= last {
				t.Fatalf("%v comes after %v", *k, last)
			}
			last = *k
		}
		s.m.Clear(th)
	})
}

func TestReadingContainersAllocatesNothing(t *testing.T) {
	inHeapOf(t, 1<<20, func(th *Thread, z *zoo) {
		for i := range 20 {
			k := View(fmt.Sprint("key", i))
			if err := errors.Join(z.set.Add(th, k), z.sorted.Put(th, k, k), z.deque.PushBack(th, k), z.queue.Push(th, job{int64(i), k}),
				z.list.Append(th, k), z.bytes.Set(th, []byte("bytes")), z.ptr.Set(th, chain{name: k})); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for what, f := range map[string]func(){
			"Set.Has": func() { z.set.Has(View("key3")) },
			"Set.All": func() {
				for k := range z.set.All() {
					n += k.Len()
				}
			},
			"OrderedMap.Get":     func() { n += z.sorted.Get(View("key3")).Len() },
			"OrderedMap.Floor":   func() { z.sorted.Floor(View("key3x")) },
			"OrderedMap.Ceiling": func() { z.sorted.Ceiling(View("key3x")) },
			"OrderedMap.First":   func() { z.sorted.First(); z.sorted.Last() },
			"OrderedMap.All": func() {
				for k, v := range z.sorted.All() {
					n += k.Len() + v.Len()
				}
			},
			"OrderedMap.Range": func() {
				for k, v := range z.sorted.Range(View("key1"), View("key3")) {
					n += k.Len() + v.Len()
				}
			},
			"OrderedMap.BackwardFrom": func() {
				for k, v := range z.sorted.BackwardFrom(View("key3")) {
					n += k.Len() + v.Len()
				}
			},
			"Deque.At": func() { n += z.deque.At(3).Len() + z.deque.Front().Len() },
			"Deque.All": func() {
				for s := range z.deque.All() {
					n += s.Len()
				}
				for s := range z.deque.Backward() {
					n += s.Len()
				}
			},
			"Deque.PopFront and PushBack": func() {
				s, _ := z.deque.PopFront(th)
				z.deque.PushBack(th, s)
				s.Free(th)
			},
			"Heap.First": func() { n += z.queue.First().name.Len() },
			"Heap.Push and Pop": func() {
				z.queue.Push(th, job{3, View("x")})
				j, _ := z.queue.Pop(th)
				Free(th, &j)
			},
			"Heap.All": func() {
				for j := range z.queue.All() {
					n += j.name.Len()
				}
			},
			"Slice.All": func() {
				for _, s := range z.list.All() {
					n += s.Len()
				}
			},
			"Slice.Sort":   func() { z.list.Sort(th, func(a, b String) int { return cmp.Compare(a.s, b.s) }) },
			"Slice.Search": func() { z.list.Search(func(s *String) int { return cmp.Compare(s.s, "key3") }) },
			"Bytes.Bytes":  func() { n += len(z.bytes.Bytes()) },
			"Ptr.Get":      func() { n += z.ptr.Get().name.Len() },
			"OrderedMap.Put of what is there": func() {
				z.sorted.Put(th, View("key3"), View("x"))
			},
		} {
			if got := testing.AllocsPerRun(100, f); got != 0 {
				t.Errorf("%s: %v allocations", what, got)
			}
		}
		z.free(th)
	})
}
