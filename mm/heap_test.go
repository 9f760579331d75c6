package mm

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"
)

// testHeap makes a heap at an address that no other test of the run uses.
func testHeap(t testing.TB, capacity uint64) *Heap {
	t.Helper()
	heapTestMu.Lock()
	r := Range{heapTestNext, capacity}
	heapTestNext += Virt(max(capacity, MinHeap))
	heapTestMu.Unlock()
	h, err := CreateHeap(r, 1, 99)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var (
	heapTestMu   sync.Mutex
	heapTestNext = HeapArea.Base
)

// heapModel is a heap together with what should be in it.
type heapModel struct {
	t       testing.TB
	h       *Heap
	objects []heapObject
}

type heapObject struct {
	p    unsafe.Pointer
	size uint64
	mark byte
}

func (o heapObject) bytes() []byte { return unsafe.Slice((*byte)(o.p), o.size) }

// alloc allocates and marks an object and reports whether there was room.
func (m *heapModel) alloc(size uint64, reserved bool) bool {
	m.t.Helper()
	var p unsafe.Pointer
	var err error
	if reserved {
		p, err = m.h.AllocReserved(size)
	} else {
		p, err = m.h.Alloc(size)
	}
	if err != nil {
		if !errors.Is(err, ErrHeapFull) {
			m.t.Fatalf("Alloc(%d): %v", size, err)
		}
		return false
	}
	o := heapObject{p, size, byte(len(m.objects)*7 + 1)}
	if uintptr(p)%16 != 0 || uint64(uintptr(p)) < uint64(m.h.Range().Base)+uint64(unsafe.Sizeof(Heap{})) ||
		uint64(uintptr(p))+size > uint64(m.h.Range().End()) {
		m.t.Fatalf("Alloc(%d) = %p in %#x", size, p, m.h.Range())
	}
	if got := m.h.UsableSize(p); got < size {
		m.t.Fatalf("UsableSize = %d, want at least %d", got, size)
	}
	for i, b := range o.bytes() {
		if b != 0 && !reserved {
			m.t.Fatalf("byte %d of a new object is %#x", i, b)
		}
		o.bytes()[i] = o.mark
	}
	m.objects = append(m.objects, o)
	return true
}

func (m *heapModel) free(i int) {
	m.t.Helper()
	o := m.objects[i]
	for j, b := range o.bytes() {
		if b != o.mark {
			m.t.Fatalf("byte %d of %d at %p is %#x, want %#x: objects overlap", j, o.size, o.p, b, o.mark)
		}
	}
	m.h.Free(o.p)
	m.objects[i] = m.objects[len(m.objects)-1]
	m.objects = m.objects[:len(m.objects)-1]
}

func (m *heapModel) check() {
	m.t.Helper()
	if err := m.h.Check(); err != nil {
		m.t.Fatal(err)
	}
}

// randomSize favours small objects and has some of every order.
func randomSize(rng *rand.Rand, largest uint64) uint64 {
	return min(rng.Uint64N(1<<(1+rng.Uint64N(18))), largest)
}

func TestHeapAgainstModel(t *testing.T) {
	rng := seeded(t)
	for _, capacity := range []uint64{MinHeap, 1 << 20, 16 << 20} {
		m := &heapModel{t: t, h: testHeap(t, capacity)}
		full := 0
		for step := range 20000 {
			// Fill and drain in turns, so that both ends of the range are reached.
			filling := step/2500%2 == 0
			if len(m.objects) == 0 || rng.IntN(10) < 4 == !filling {
				if !m.alloc(randomSize(rng, capacity/4), rng.IntN(50) == 0) {
					full++
				}
			} else {
				m.free(rng.IntN(len(m.objects)))
			}
			if step%500 == 0 {
				m.check()
			}
		}
		m.check()
		if full == 0 && capacity <= 1<<20 {
			t.Errorf("capacity %d: never full", capacity)
		}
		for len(m.objects) > 0 {
			m.free(rng.IntN(len(m.objects)))
		}
		m.check()
		if s := m.h.Stats(); s.Used != 0 || m.h.top != firstBlock {
			t.Errorf("empty heap: %+v, top %#x", s, m.h.top)
		}
		m.h.Destroy()
	}
}

func FuzzHeap(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0x80, 0x81, 250, 251, 4, 5, 0x82})
	f.Add([]byte{255, 255, 255, 128, 128, 0, 0, 0, 129, 130})
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := &heapModel{t: t, h: testHeap(t, MinHeap)}
		defer m.h.Destroy()
		for _, op := range ops {
			if op&0x80 != 0 && len(m.objects) > 0 {
				m.free(int(op&0x7f) % len(m.objects))
			} else {
				m.alloc(uint64(op&0x1f)<<(op>>5&3*3), op&1 != 0)
			}
		}
		m.check()
	})
}

func TestHeapFull(t *testing.T) {
	m := &heapModel{t: t, h: testHeap(t, MinHeap)}
	defer m.h.Destroy()
	for m.alloc(100, false) {
	}
	before := m.h.Stats()
	for _, size := range []uint64{100, MinHeap, 1 << 40, ^uint64(0)} {
		if _, err := m.h.Alloc(size); !errors.Is(err, ErrHeapFull) {
			t.Errorf("Alloc(%d) in a full heap: %v", size, err)
		}
	}
	if got := m.h.Stats(); got != before {
		t.Errorf("failed allocations changed %+v to %+v", before, got)
	}
	// The reserve is still there, and what is freed of it goes to nobody else.
	n := len(m.objects)
	for m.alloc(100, true) {
	}
	if got := len(m.objects) - n; got < 10 {
		t.Errorf("the reserve holds %d objects", got)
	}
	for i := n; i < len(m.objects); i++ {
		m.h.Free(m.objects[i].p)
		if i%2 == 0 {
			if _, err := m.h.Alloc(90); !errors.Is(err, ErrHeapFull) {
				t.Fatalf("Alloc took memory of the reserve: %v", err)
			}
		}
	}
	m.objects = m.objects[:n]
	m.check()
	m.free(0)
	if !m.alloc(100, false) {
		t.Error("no room for an object after freeing one of the same size")
	}
	m.check()
}

// A heap that is copied elsewhere byte for byte, used ranges only, works on
// there. Here elsewhere is the same address after it was unmapped.
func TestHeapMoves(t *testing.T) {
	rng := seeded(t)
	m := &heapModel{t: t, h: testHeap(t, 4<<20)}
	for round := range 10 {
		for range 300 {
			if len(m.objects) == 0 || rng.IntN(3) > 0 {
				m.alloc(randomSize(rng, 100<<10), false)
			} else {
				m.free(rng.IntN(len(m.objects)))
			}
		}
		r, extent := m.h.Range(), m.h.Extent()
		var saved [][]byte
		used := m.h.Used()
		end := Virt(0)
		for _, u := range used {
			if u.Base < end || u.Base%PageSize != 0 || u.Size%PageSize != 0 || u.Size == 0 || u.End() > r.Base+Virt(extent) {
				t.Fatalf("used ranges %v", used)
			}
			end = u.End()
			saved = append(saved, append([]byte(nil), bytesAt(u.Base, u.Size)...))
		}
		m.h.Destroy()
		if err := PrepareHeap(r, used); err != nil {
			t.Fatal(err)
		}
		for i, u := range used {
			copy(bytesAt(u.Base, u.Size), saved[i])
		}
		h, err := AdoptHeap(r, used, 1, 99)
		if err != nil {
			t.Fatal(err)
		}
		m.h = h
		m.check()
		if round%3 == 2 {
			for len(m.objects) > 10 {
				m.free(0)
			}
		}
	}
	if m.h.Stats().Peak == 0 {
		t.Error("peak did not move with the heap")
	}
	m.h.Destroy()
}

func TestHeapUsedSkipsFreeRuns(t *testing.T) {
	m := &heapModel{t: t, h: testHeap(t, 4<<20)}
	defer m.h.Destroy()
	m.alloc(1<<20, false)
	m.alloc(1000, false)
	if got := m.h.Used(); len(got) != 1 {
		t.Errorf("used ranges of a dense heap: %v", got)
	}
	m.free(0)
	var bytes uint64
	used := m.h.Used()
	for _, u := range used {
		bytes += u.Size
	}
	if len(used) != 2 || bytes > 5*PageSize {
		t.Errorf("used ranges %v hold %d bytes after a MiB was freed", used, bytes)
	}
}

func TestHeapRefuses(t *testing.T) {
	for _, r := range []Range{
		{HeapArea.Base, 0}, {HeapArea.Base, MinHeap / 2}, {HeapArea.Base, MinHeap + 1}, {HeapArea.Base, 3 << 20},
		{HeapArea.Base, 2 * MaxHeap}, {HeapArea.Base + PageSize, MinHeap}, {HeapArea.End(), MinHeap}, {0x1000, MinHeap},
	} {
		if _, err := CreateHeap(r, 1, 1); !errors.Is(err, ErrHeapRange) {
			t.Errorf("CreateHeap(%#x): %v", r, err)
		}
	}

	h := testHeap(t, MinHeap)
	r := h.Range()
	for _, used := range [][]Range{
		nil, {{r.Base, 0}}, {{r.Base, 100}}, {{r.Base, MinHeap + PageSize}}, {{r.Base + PageSize, PageSize}},
		{{r.Base, PageSize}, {r.Base, PageSize}}, {{r.Base, PageSize}, {r.End(), PageSize}},
	} {
		if err := PrepareHeap(r, used); !errors.Is(err, ErrHeapRange) {
			t.Errorf("PrepareHeap(%#x): %v", used, err)
		}
	}
	used := []Range{{r.Base, PageSize}}
	adopt := func(what string, generation, build uint64) {
		t.Helper()
		if _, err := AdoptHeap(r, used, generation, build); !errors.Is(err, ErrHeapCorrupt) {
			t.Errorf("AdoptHeap with %s: %v", what, err)
		}
	}
	adopt("another generation", 2, 99)
	adopt("another build", 1, 98)
	h.top = PageSize * 2
	adopt("top beyond the mapping", 1, 99)
	h.top = firstBlock
	h.magic = 0
	adopt("no magic", 1, 99)
	h.magic = heapMagic
	if _, err := AdoptHeap(r, used, 1, 99); err != nil {
		t.Errorf("AdoptHeap: %v", err)
	}

	p, _ := h.Alloc(10)
	q, _ := h.Alloc(10)
	h.Free(p)
	for what, bad := range map[string]unsafe.Pointer{
		"a freed object": p, "the inside of an object": unsafe.Add(q, 8), "nil": nil, "the header": unsafe.Pointer(h),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Free of %s did not panic", what)
				}
			}()
			h.Free(bad)
		}()
	}
	h.Free(q)
	if err := h.Check(); err != nil {
		t.Error(err)
	}
	h.Destroy()
}

func TestHeapCheckNotices(t *testing.T) {
	h := testHeap(t, MinHeap)
	defer h.Destroy()
	a, _ := h.Alloc(100)
	if _, err := h.Alloc(100); err != nil {
		t.Fatal(err)
	}
	h.Free(a)
	if err := h.Check(); err != nil { // which empties the caches, too
		t.Fatal(err)
	}
	off := uint64(uintptr(a)) - uint64(h.base)
	for what, word := range map[string]*uint64{
		"size": h.header(off), "footer": h.prevSize(off + h.size(off)), "link": h.word(off), "used": &h.used, "top": &h.top,
	} {
		old := *word
		*word += 16
		if err := h.Check(); !errors.Is(err, ErrHeapCorrupt) {
			t.Errorf("wrong %s: Check = %v", what, err)
		}
		*word = old
		if err := h.Check(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHeapConcurrent(t *testing.T) {
	h := testHeap(t, 8<<20)
	defer h.Destroy()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			m := &heapModel{t: t, h: h}
			for range 5000 {
				if len(m.objects) == 0 || rng.IntN(2) == 0 {
					m.alloc(rng.Uint64N(3000), false)
				} else {
					m.free(rng.IntN(len(m.objects)))
				}
			}
			for len(m.objects) > 0 {
				m.free(0)
			}
		})
	}
	wg.Wait()
	if err := h.Check(); err != nil {
		t.Fatal(err)
	}
	if s := h.Stats(); s.Used != 0 || s.Peak == 0 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkHeap(b *testing.B) {
	for _, size := range []uint64{24, 200, 3000} {
		b.Run(map[uint64]string{24: "24", 200: "200", 3000: "3000"}[size], func(b *testing.B) {
			h := testHeap(b, 16<<20)
			defer h.Destroy()
			var ring [64]unsafe.Pointer
			for i := 0; b.Loop(); i++ {
				p := &ring[i%len(ring)]
				if *p != nil {
					h.Free(*p)
				}
				*p, _ = h.Alloc(size)
			}
		})
	}
}
