//go:build !metal

package mm

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// The tests' machine has room for TestManySmallHeaps.
func init() { os.Args = append(os.Args, "mem=1G") }

// heapRange returns addresses that no other test uses.
var heapRange = func() func(size uint64) Range {
	var mu sync.Mutex
	next := HeapArea.Base + 0x0f00_0000_0000
	return func(size uint64) Range {
		mu.Lock()
		defer mu.Unlock()
		r := Range{next, size}
		next += Virt(roundUp(size, 1<<20))
		return r
	}
}()

// unchangedFrames fails the test if it ends with other frames in use.
func unchangedFrames(t *testing.T) {
	before := Frames()
	if before.Total == 0 {
		t.Fatal("the machine has no memory")
	}
	t.Cleanup(func() {
		if after := Frames(); after != before {
			t.Errorf("frames leaked: %+v before, %+v after", before, after)
		}
	})
}

func TestMapGivesZeroedMemoryThatDevicesSee(t *testing.T) {
	unchangedFrames(t)
	for _, size := range []uint64{PageSize, 64 << 10, 1<<20 + PageSize, 16 << 20} {
		r := heapRange(size)
		for round := range 2 { // the second time the frames are used ones
			if err := Map(r); err != nil {
				t.Fatal(err)
			}
			b := Bytes(r)
			if !bytes.Equal(b, make([]byte, size)) {
				t.Fatalf("round %d: %d bytes are not zero", round, size)
			}
			for i := range b {
				b[i] = byte(i * 7)
			}
			seen := uint64(0)
			for v := r.Base; v < r.End(); {
				p, n, ok := Translate(v)
				if !ok || n == 0 {
					t.Fatalf("Translate(%#x) = %#x, %d, %v", v, p, n, ok)
				}
				n = min(n, uint64(r.End()-v))
				if !bytes.Equal(Bytes(Range{v, n}), Bytes(Range{Direct(p), n})) {
					t.Fatalf("direct map of %#x differs", v)
				}
				v += Virt(n)
				seen += n
			}
			if u := Frames(); seen != size || u.Heaps < size/PageSize {
				t.Errorf("%d bytes of %d translated; %+v", seen, size, u)
			}
			if err := Unmap(r); err != nil {
				t.Fatal(err)
			}
			if _, _, ok := Translate(r.Base); ok {
				t.Error("translated after Unmap")
			}
		}
	}
}

func TestMapErrors(t *testing.T) {
	unchangedFrames(t)
	r := heapRange(64 << 10)
	if err := Map(r); err != nil {
		t.Fatal(err)
	}
	defer Unmap(r)
	last := Range{r.Base + 15*PageSize, 2 * PageSize}
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"map mapped", Map(r), ErrMapped},
		{"map half mapped", Map(last), ErrMapped},
		{"map nothing", Map(Range{r.Base, 0}), ErrRange},
		{"map unaligned", Map(Range{r.Base + 1, PageSize}), ErrRange},
		{"map odd size", Map(Range{r.Base, 100}), ErrRange},
		{"map elsewhere", Map(Range{0x4000_0000_0000, PageSize}), ErrRange},
		{"map across the end", Map(Range{HeapArea.End() - PageSize, 2 * PageSize}), ErrRange},
		{"map everything", Map(Range{HeapArea.Base, HeapArea.Size / 2}), ErrNoMemory},
		{"map wrapping", Map(Range{HeapArea.Base, 1<<64 - PageSize}), ErrRange},
		{"unmap half mapped", Unmap(last), ErrNotMapped},
		{"unmap unaligned", Unmap(Range{r.Base, 1}), ErrRange},
		{"free no DMA memory", FreeDMA(r), ErrRange},
	}
	for _, test := range tests {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, test.err, test.want)
		}
	}
	if _, err := AllocDMA(0); !errors.Is(err, ErrRange) {
		t.Errorf("AllocDMA(0): %v", err)
	}
	if _, err := AllocDMA(1 << 40); !errors.Is(err, ErrNoMemory) {
		t.Errorf("AllocDMA(1 TiB): %v", err)
	}
	if _, _, ok := Translate(0x1234); ok {
		t.Error("Translate of memory that is not ours")
	}
	Bytes(r)[0] = 1 // still mapped
}

// TestManySmallHeaps keeps 10,000 heaps of 64 KiB at once, as a rack full of
// small proclets does, at addresses far apart.
func TestManySmallHeaps(t *testing.T) {
	unchangedFrames(t)
	const heaps, size = 10000, 64 << 10
	base := heapRange(heaps << 20).Base
	at := func(i int) Range { return Range{base + Virt(i)<<20, size} }
	for i := range heaps {
		if err := Map(at(i)); err != nil {
			t.Fatalf("heap %d: %v", i, err)
		}
		*(*int)(pointer(at(i).End() - 8)) = i
	}
	for i := range heaps {
		if got := *(*int)(pointer(at(i).End() - 8)); got != i {
			t.Fatalf("heap %d holds %d", i, got)
		}
		if err := Unmap(at(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMappingsRunOut maps pieces that are just too long to share a mapping until
// Linux would have no room for more. Map must refuse before: the runtime needs
// some, too.
func TestMappingsRunOut(t *testing.T) {
	unchangedFrames(t)
	base := heapRange(1 << 30).Base
	const size = smallPiece + PageSize
	at := func(i int) Range { return Range{base + Virt(i)*2*size, size} }
	n := 0
	for ; n <= maxPieces; n++ {
		if err := Map(at(n)); err != nil {
			if !errors.Is(err, ErrNoMemory) {
				t.Error(err)
			}
			break
		}
	}
	if n > maxPieces {
		t.Errorf("%d pieces mapped apart from each other", n)
	}
	for i := range n {
		if err := Unmap(at(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPiecesAreCounted compares the count of mappings with Linux's own.
func TestPiecesAreCounted(t *testing.T) {
	unchangedFrames(t)
	rnd := seeded(t)
	h, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	window := heapRange(8 << 20)
	mapped := map[int]bool{}
	for step := range 400 {
		i := rnd.IntN(60)
		pages := 1 + rnd.IntN(8)
		free, full := true, true
		for k := i; k < i+pages; k++ {
			free, full = free && !mapped[k], full && mapped[k]
		}
		r := Range{window.Base + Virt(i)*PageSize, uint64(pages) * PageSize}
		switch {
		case free:
			err = Map(r)
		case full:
			err = Unmap(r)
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for k := i; k < i+pages; k++ {
			mapped[k] = free
		}
		if got, want := h.countPieces(window), linuxMappings(t, window); got != want {
			t.Fatalf("step %d: %d mappings counted, Linux has %d", step, got, want)
		}
	}
	for k := range mapped {
		if mapped[k] {
			if err := Unmap(Range{window.Base + Virt(k)*PageSize, PageSize}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if h.pieces != 0 {
		t.Errorf("%d mappings counted after all are gone", h.pieces)
	}
	if n := linuxMappings(t, DirectArea); n != 1 {
		t.Errorf("the direct map is in %d pieces after frames have come back", n)
	}
}

// linuxMappings returns how many mappings /proc lists in r.
func linuxMappings(t *testing.T, r Range) (count int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		start, err := strconv.ParseUint(line[:strings.IndexByte(line, '-')], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if r.Contains(Virt(start)) {
			count++
		}
	}
	return count
}

// TestMapConcurrently has goroutines map, mark, check and unmap at random.
func TestMapConcurrently(t *testing.T) {
	unchangedFrames(t)
	rnd := seeded(t)
	var wg sync.WaitGroup
	for worker := range 4 {
		rnd := rand.New(rand.NewPCG(rnd.Uint64(), 2))
		window := heapRange(64 << 20)
		wg.Add(1)
		go func() {
			defer wg.Done()
			type piece struct{ r, dma Range }
			var held []piece
			drop := func(i int) {
				p := held[i]
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
				for _, r := range []Range{p.r, p.dma} {
					if got := *(*Virt)(unsafe.Pointer(&Bytes(r)[r.Size-8])); got != r.Base+Virt(worker) {
						t.Errorf("%#x was overwritten with %#x", r.Base, got)
					}
				}
				if err := errors.Join(Unmap(p.r), FreeDMA(p.dma)); err != nil {
					t.Error(err)
				}
			}
			for step := range 300 {
				if len(held) > 8 {
					drop(rnd.IntN(len(held)))
				}
				r := Range{window.Base + Virt(step%64)<<20, uint64(1+rnd.IntN(64)) * PageSize}
				err := Map(r)
				if errors.Is(err, ErrMapped) {
					continue
				}
				dma, err2 := AllocDMA(uint64(1 + rnd.IntN(100000)))
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
					return
				}
				for _, x := range []Range{r, dma} {
					b := Bytes(x)
					if len(b) >= 8 {
						*(*Virt)(unsafe.Pointer(&b[len(b)-8])) = x.Base + Virt(worker)
					}
				}
				if dma.Size < 8 {
					FreeDMA(dma)
					Unmap(r)
					continue
				}
				held = append(held, piece{r, dma})
			}
			for len(held) > 0 {
				drop(0)
			}
		}()
	}
	wg.Wait()
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		in   string
		want uint64 // 0: refused
	}{
		{"512M", 512 << 20}, {"1G", 1 << 30}, {"2g", 2 << 30}, {"1048576", 1 << 20}, {"4096K", 4 << 20},
		{"1T", 1 << 40}, {"8T", 8 << 40}, {"9T", 0}, {"", 0}, {"M", 0}, {"1", 0}, {"-1M", 0}, {"1MM", 0},
		{"1.5G", 0}, {"99999999999999999999", 0}, {"1000000T", 0}, {"1x", 0}, {"1048577", 1 << 20},
	}
	for _, test := range tests {
		got, err := parseSize(test.in)
		if got != test.want || (err == nil) != (test.want != 0) {
			t.Errorf("parseSize(%q) = %d, %v, want %d", test.in, got, err, test.want)
		}
	}
}

func BenchmarkMapUnmap(b *testing.B) {
	for _, size := range []uint64{64 << 10, 1 << 20, 16 << 20} {
		b.Run(byteSize(size), func(b *testing.B) {
			r := heapRange(size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := Map(r); err != nil {
					b.Fatal(err)
				}
				if err := Unmap(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTranslate(b *testing.B) {
	r := heapRange(1 << 20)
	if err := Map(r); err != nil {
		b.Fatal(err)
	}
	defer Unmap(r)
	b.ReportAllocs()
	v := r.Base
	for b.Loop() {
		if _, _, ok := Translate(v); !ok {
			b.Fatal("not mapped")
		}
		v = r.Base + (v-r.Base+8192)%(1<<20)
	}
}

func byteSize(n uint64) string {
	if n >= 1<<20 {
		return string(rune('0'+n>>20/10)) + string(rune('0'+n>>20%10)) + "MiB"
	}
	return string(rune('0'+n>>10/10)) + string(rune('0'+n>>10%10)) + "KiB"
}

// BenchmarkArrival maps memory for heaps that are to arrive, and gives it back.
func BenchmarkArrival(b *testing.B) {
	for _, size := range []uint64{80 << 10, 1<<20 + 3*PageSize, 16<<20 + 3*PageSize} {
		b.Run(byteSize(size), func(b *testing.B) {
			r := Range{heapRange(64<<20).Base &^ (64<<20 - 1), 64 << 20}
			used := []Range{{r.Base, size}}
			// Another heap near it, as there is in a machine that has many.
			near := Range{r.Base ^ 64<<20, PageSize}
			if err := Map(near); err != nil {
				b.Fatal(err)
			}
			defer Unmap(near)
			for b.Loop() {
				if err := PrepareHeap(r, used); err != nil {
					b.Fatal(err)
				}
				DiscardHeap(r, used)
			}
		})
	}
}
