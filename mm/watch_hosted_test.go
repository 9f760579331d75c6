//go:build !metal

package mm

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// TestWatch copies a heap that is written, filled and emptied meanwhile, to other memory, until
// it stands still. Then the copy is the heap.
func TestWatch(t *testing.T) {
	if err := watchable(); err != nil {
		t.Fatal(err) // where this is developed it is
	}
	unchangedFrames(t)
	rng := seeded(t)
	m := &heapModel{t: t, h: testHeap(t, 32<<20)}
	for m.h.Stats().Used < 8<<20 {
		m.alloc(randomSize(rng, 200<<10), false)
	}
	for turn := range 6 {
		for m.h.Stats().Used > 2<<20 && turn%2 == 1 { // so that there are holes
			m.free(rng.IntN(len(m.objects)))
		}
		w, err := m.h.Watch()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.h.Watch(); err == nil {
			t.Fatal("a heap is watched twice")
		}
		there := map[Virt][]byte{}
		var uncopied []Range
		for round := range 5 {
			if round == 4 {
				w.Settle()
			}
			used, changed, err := w.Changed()
			if err != nil {
				t.Fatal(err)
			}
			if len(without(changed, used)) != 0 || round == 0 && len(without(used, changed)) != 0 {
				t.Fatalf("round %d: %#x changed of %#x", round, changed, used)
			}
			if left := without(without(uncopied, without(uncopied, used)), changed); len(left) != 0 {
				t.Fatalf("round %d: %#x have not been copied, and are not changed any more", round, left)
			}
			for v := range pagesOf(changed) {
				there[v] = slices.Clone(bytesAt(v, PageSize))
			}
			uncopied = nil
			if rng.IntN(4) > 0 { // else they have to be among the next ones
				w.Copied()
			} else {
				uncopied = changed
			}
			if round == 4 {
				for v := range pagesOf(used) {
					if !bytes.Equal(there[v], bytesAt(v, PageSize)) {
						t.Fatalf("turn %d: page %#x is not what was copied", turn, v)
					}
				}
				break
			}
			scribble(rng, m)
		}
		if turn < 5 {
			w.End()
		}
		m.check()
		scribble(rng, m)
	}
	m.h.Destroy()
}

// scribble writes somewhere, allocates and frees.
func scribble(rng *rand.Rand, m *heapModel) {
	for range 100 {
		switch rng.IntN(4) {
		case 0:
			m.alloc(randomSize(rng, 300<<10), false)
		case 1:
			m.free(rng.IntN(len(m.objects)))
		default:
			o := &m.objects[rng.IntN(len(m.objects))]
			o.mark = byte(rng.Uint32())
			for i := range o.bytes() {
				o.bytes()[i] = o.mark
			}
		}
	}
}

func pagesOf(ranges []Range) func(func(Virt) bool) {
	return func(yield func(Virt) bool) {
		for _, r := range ranges {
			for v := r.Base; v < r.End(); v += PageSize {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// TestWatchOfWriters has several goroutines write while pages are copied again and again.
func TestWatchOfWriters(t *testing.T) {
	unchangedFrames(t)
	rng := seeded(t)
	h := testHeap(t, 32<<20)
	defer h.Destroy()
	const size = 8 << 20
	p, err := h.Alloc(size)
	if err != nil {
		t.Fatal(err)
	}
	w, err := h.Watch()
	if err != nil {
		t.Fatal(err)
	}
	words := bytesAt(Virt(uintptr(p)), size)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 4 {
		seed := rng.Uint64()
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				at := rng.IntN(size/8) * 8
				*(*uint64)(pointer(Virt(uintptr(p)) + Virt(at))) = rng.Uint64()
			}
		})
	}
	there := make(map[Virt][]byte)
	take := func() (used []Range) {
		used, changed, err := w.Changed()
		if err != nil {
			t.Fatal(err)
		}
		for v := range pagesOf(changed) {
			there[v] = slices.Clone(bytesAt(v, PageSize))
		}
		w.Copied()
		return used
	}
	for range 20 {
		take()
	}
	close(stop)
	writers.Wait()
	for v := range pagesOf(take()) {
		if !bytes.Equal(there[v], bytesAt(v, PageSize)) {
			t.Fatalf("page %#x is not what was copied", v)
		}
	}
	w.End()
	clear(words)
}

// TestReshape prepares memory for a heap that changes before it arrives.
func TestReshape(t *testing.T) {
	unchangedFrames(t)
	rng := seeded(t)
	h := testHeap(t, 64<<20)
	r := h.Range()
	h.Destroy()
	lists := make([][]Range, 20)
	for i := range lists {
		next := r.Base
		for next < r.Base+48<<20 {
			size := uint64(1+rng.IntN(600)) * PageSize
			lists[i] = append(lists[i], Range{next, size})
			next += Virt(size) + Virt(4+rng.IntN(200))*PageSize
		}
	}
	if err := PrepareHeap(r, lists[0]); err != nil {
		t.Fatal(err)
	}
	mark := map[Virt]uint64{}
	before := lists[0]
	for _, now := range lists {
		for v := range pagesOf(before) {
			mark[v] = rng.Uint64()
			*(*uint64)(pointer(v)) = mark[v]
		}
		if err := ReshapeHeap(r, before, now); err != nil {
			t.Fatal(err)
		}
		var mapped uint64
		for _, m := range arriving(now) {
			mapped += m.Size
		}
		for v := range pagesOf(without(before, without(before, now))) {
			if got := *(*uint64)(pointer(v)); got != mark[v] {
				t.Fatalf("page %#x has lost what was in it", v)
			}
		}
		before = now
	}
	if err := ReshapeHeap(r, before, []Range{{r.Base + PageSize, PageSize}}); err == nil {
		t.Fatal("a heap without a beginning is prepared")
	}
	if err := PrepareHeap(r, before); err != nil { // nothing is left
		t.Fatal(err)
	}
	DiscardHeap(r, before)
}

// TestWithout compares lists of ranges with sets of pages.
func TestWithout(t *testing.T) {
	rng := seeded(t)
	random := func() (a []Range) {
		next := Virt(0)
		for range rng.IntN(6) {
			next += Virt(rng.IntN(4)) * PageSize
			size := uint64(1+rng.IntN(5)) * PageSize
			a = append(a, Range{next, size})
			next += Virt(size)
		}
		return a
	}
	for range 2000 {
		a, b := random(), random()
		var want []Virt
		gone := slices.Collect(pagesOf(b))
		for v := range pagesOf(a) {
			if !slices.Contains(gone, v) {
				want = append(want, v)
			}
		}
		if got := slices.Collect(pagesOf(without(a, b))); !slices.Equal(got, want) {
			t.Fatalf("%#x without %#x: %#x, want %#x", a, b, got, want)
		}
	}
}
