//go:build !metal

package mm

import (
	"cmp"
	"slices"
	"testing"
	"unsafe"
)

// mappedPages counts the pages of a heap that have frames, by looking.
func mappedPages(h *Heap) (bytes uint64) {
	for v := h.base; v < h.Range().End(); v += PageSize {
		if _, _, ok := Translate(v); ok {
			bytes += PageSize
		}
	}
	return bytes
}

// checkMapped compares the books of a heap with its page tables.
func (m *heapModel) checkMapped() {
	m.t.Helper()
	m.check()
	if got, want := m.h.Stats().Mapped, mappedPages(m.h); got != want {
		m.t.Fatalf("%d bytes are mapped, %d are counted", want, got)
	}
}

func TestHeapStartsSmall(t *testing.T) {
	unchangedFrames(t)
	before := Frames().Heaps
	h := testHeap(t, 4<<20)
	defer h.Destroy()
	if _, err := h.Alloc(1000); err != nil {
		t.Fatal(err)
	}
	if got := Frames().Heaps - before; got != 1 {
		t.Errorf("a heap with an object of 1000 bytes has %d frames", got)
	}
}

// checkGivenBack checks that a heap has no more frames than it may, with as many
// objects as the model has: each may hold the fragments of pages at its ends, and
// before it a run that is too short to be given back, by a page or two at its ends
// as well.
func (m *heapModel) checkGivenBack() {
	m.t.Helper()
	m.checkMapped()
	now, n := m.h.Stats(), uint64(len(m.objects))
	busy := roundUp(firstBlock, PageSize) + now.Used + n*(holeLeast+4*PageSize)
	if most := max(busy+heapSlack, busy*3/2); now.Mapped > most {
		m.t.Errorf("%+v with %d objects, want at most %d mapped", now, n, most)
	}
}

// A heap gives back what whole runs of pages are free, wherever they are, and
// takes them again, whatever is freed last: also if that are objects so small that
// they are cached.
func TestHeapGivesMemoryBack(t *testing.T) {
	unchangedFrames(t)
	rng := seeded(t)
	m := &heapModel{t: t, h: testHeap(t, 64<<20)}
	defer m.h.Destroy()
	for round := range 3 {
		for m.h.Stats().Used < 40<<20 {
			m.alloc(randomSize(rng, 200<<10), false)
		}
		full := m.h.Stats()
		m.checkMapped()
		// All but one in 4 MiB or so.
		keep := map[uint64]bool{}
		for i := len(m.objects) - 1; i >= 0; i-- {
			if part := uint64(uintptr(m.objects[i].p)) >> 22; !keep[part] {
				keep[part] = true
				continue
			}
			m.free(i)
		}
		m.checkGivenBack()
		if now := m.h.Stats(); now.Mapped > full.Mapped/3 || now.Peak < full.Used {
			t.Errorf("round %d: %+v after most of %+v was freed", round, now, full)
		}
		for len(m.objects) > round {
			m.free(rng.IntN(len(m.objects)))
		}
		m.checkGivenBack()
		// Small ones everywhere, that are freed last.
		for m.h.Stats().Used < 30<<20 {
			m.alloc(randomSize(rng, 200<<10), false)
		}
		slices.SortStableFunc(m.objects, func(a, b heapObject) int { return cmp.Compare(min(a.size, 100), min(b.size, 100)) })
		for len(m.objects) > round {
			m.free(len(m.objects) - 1)
		}
		m.checkGivenBack()
	}
}

// Objects that come and go do not take and give memory all the time.
func TestHeapKeepsSomeMemory(t *testing.T) {
	for _, used := range []uint64{0, 1 << 20, 16 << 20} {
		h := testHeap(t, 64<<20)
		if used > 0 {
			if _, err := h.AllocBytes(used); err != nil {
				t.Fatal(err)
			}
		}
		size := max(heapSlack/2, used/5)
		changes := 0
		for before, i := h.Stats().Mapped, 0; i < 100; i++ {
			p, err := h.AllocBytes(size)
			if err != nil {
				t.Fatal(err)
			}
			h.Free(p)
			if now := h.Stats().Mapped; now != before {
				before = now
				changes++
			}
		}
		if changes > 2 {
			t.Errorf("with %d bytes used, an object of %d bytes changes what is mapped %d times", used, size, changes)
		}
		h.Destroy()
	}
}

// A heap with holes moves without filling them, and works on.
func TestHeapMovesWithHoles(t *testing.T) {
	unchangedFrames(t)
	rng := seeded(t)
	m := &heapModel{t: t, h: testHeap(t, 64<<20)}
	for round := range 6 {
		for m.h.Stats().Used < 20<<20 {
			m.alloc(randomSize(rng, 1<<20), false)
		}
		for m.h.Stats().Used > uint64(1+round)<<20 {
			m.free(rng.IntN(len(m.objects)))
		}
		r, used := m.h.Range(), m.h.Used()
		var saved [][]byte
		var bytes, mapped uint64
		for _, u := range used {
			saved = append(saved, append([]byte(nil), Bytes(u)...))
			bytes += u.Size
		}
		for _, a := range arriving(used) {
			mapped += a.Size
		}
		m.h.Destroy()
		if err := PrepareHeap(r, used); err != nil {
			t.Fatal(err)
		}
		if round == 2 { // this one is given up
			DiscardHeap(r, used)
			if err := PrepareHeap(r, used); err != nil {
				t.Fatal(err)
			}
		}
		for i, u := range used {
			copy(Bytes(u), saved[i])
		}
		for range 2 { // once to verify
			h, err := AdoptHeap(r, used, 1, 99)
			if err != nil {
				t.Fatal(err)
			}
			m.h = h
		}
		m.checkMapped()
		if got := m.h.Stats().Mapped; got != mapped || len(used) < 2 {
			t.Errorf("%d bytes mapped for %d used in %d ranges, want %d", got, bytes, len(used), mapped)
		}
	}
	m.h.Destroy()
}

// Without frames an allocation fails and nothing has changed.
func TestHeapWithoutFrames(t *testing.T) {
	unchangedFrames(t)
	m := &heapModel{t: t, h: testHeap(t, 1<<30)}
	defer m.h.Destroy()
	big, err := m.h.AllocBytes(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	m.alloc(100, false)
	m.h.Free(big) // leaves a hole
	other := heapRange(1 << 30)
	size := Frames().Free * PageSize / 4 * 3 &^ (LargePage - 1) // the rest is less than big, and is enough for tables
	if err := Map(Range{other.Base, size}); err != nil {
		t.Fatal(err)
	}
	defer Unmap(Range{other.Base, size})
	var taken []unsafe.Pointer
	for {
		p, err := m.h.AllocBytes(8 << 20)
		if err != nil {
			break
		}
		taken = append(taken, p)
	}
	before := m.h.Stats()
	if _, err := m.h.AllocBytes(8 << 20); err == nil {
		t.Error("allocated what there are no frames for")
	}
	if got := m.h.Stats(); got != before {
		t.Errorf("a failed allocation changed %+v to %+v", before, got)
	}
	m.checkMapped()
	for _, p := range taken {
		m.h.Free(p)
	}
	m.checkMapped()
}
