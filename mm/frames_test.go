package mm

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// seeded returns a generator whose seed is in the log, for repeating a failure.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// checkFrames walks all lists and compares them with the ledger.
func checkFrames(t *testing.T, f *frames) {
	t.Helper()
	var listed, stocked uint64
	walk := func(n uint32, order int, state frameState) (count uint64) {
		prev := uint32(0)
		for ; n != 0; prev, n = n, f.record(n).next {
			r := f.record(n)
			if r.state != state || int(r.order) != order || r.prev != prev {
				t.Fatalf("run %#x in list of order %d: %+v", n, order, *r)
			}
			if n&(1<<order-1) != 0 {
				t.Fatalf("run %#x of order %d is not aligned", n, order)
			}
			count += 1 << order
		}
		return count
	}
	for order, n := range f.free {
		listed += walk(n, order, inFree)
	}
	for order, n := range f.stock {
		stocked += walk(n, order, inStock)
		for ; n != 0; n = f.record(n).next {
			for i := range uint32(1) << order {
				for _, b := range bytesAt(f.at(address(n+i)), PageSize) {
					if b != 0 {
						t.Fatalf("stocked frame %#x is not zero", n+i)
					}
				}
			}
		}
	}
	if u := f.ledger.read(); listed+stocked != u.Free || stocked != f.stocked {
		t.Fatalf("lists hold %d + %d frames, books say %d free, %d of them stocked", listed, stocked, u.Free, f.stocked)
	}
}

// TestFramesAgainstModel allocates and frees at random and compares with a set
// of what must be in use; each frame carries a mark that nobody may overwrite.
func TestFramesAgainstModel(t *testing.T) {
	rnd := seeded(t)
	f := &frames{}
	fillArena(t, f, 32<<20)
	before := f.ledger.read()
	type run struct {
		order int
		owner Owner
	}
	model := map[Phys]run{}
	used := map[uint32]bool{}
	var bases []Phys
	for step := range 20000 {
		switch c := rnd.IntN(20); {
		case c == 0:
			f.zeroSome()
		case c <= 10:
			order, owner := rnd.IntN(5), Owner(1+rnd.IntN(int(owners)-1))
			if rnd.IntN(50) == 0 {
				order = rnd.IntN(maxOrder + 1)
			}
			p, ok := f.alloc(order, owner)
			if !ok {
				continue
			}
			for i := range uint32(1) << order {
				if used[number(p)+i] {
					t.Fatalf("step %d: frame %#x handed out twice", step, number(p)+i)
				}
				used[number(p)+i] = true
				b := bytesAt(f.at(p)+Virt(i)*PageSize, PageSize)
				for _, x := range b {
					if x != 0 {
						t.Fatalf("step %d: frame %#x is not zeroed", step, number(p)+i)
					}
				}
				b[rnd.IntN(PageSize)] = 1
			}
			model[p] = run{order, owner}
			bases = append(bases, p)
		case len(bases) > 0:
			i := rnd.IntN(len(bases))
			p := bases[i]
			bases[i] = bases[len(bases)-1]
			bases = bases[:len(bases)-1]
			r := model[p]
			delete(model, p)
			for i := range uint32(1) << r.order {
				delete(used, number(p)+i)
			}
			if rnd.IntN(4) == 0 {
				f.split(p)
				for i := range Phys(1) << r.order {
					f.release(p+i*PageSize, r.owner)
				}
			} else {
				f.release(p, r.owner)
			}
		}
		if step%1000 == 0 {
			checkFrames(t, f)
		}
		if u := f.ledger.read(); u.Free != before.Free-uint64(len(used)) || u.Total != before.Total {
			t.Fatalf("step %d: books say %+v with %d frames in use", step, u, len(used))
		}
	}
	for p, r := range model {
		f.release(p, r.owner)
	}
	checkFrames(t, f)
	if u := f.ledger.read(); u != before {
		t.Errorf("frames leaked: %+v before, %+v after", before, u)
	}
	// Nothing is lost to fragmentation once all is free again.
	f.drainStock()
	if p, ok := f.alloc(12, Kernel); !ok {
		t.Error("no run of 16 MiB in 32 MiB of free memory")
	} else {
		f.release(p, Kernel)
	}
}

func TestFramesMisuse(t *testing.T) {
	tests := []struct {
		name   string
		misuse func(f *frames)
	}{
		{"freed twice", func(f *frames) { p, _ := f.alloc(0, DMA); f.release(p, DMA); f.release(p, DMA) }},
		{"wrong owner", func(f *frames) { p, _ := f.alloc(0, DMA); f.release(p, Heaps) }},
		{"inside a run", func(f *frames) { p, _ := f.alloc(3, DMA); f.release(p+PageSize, DMA) }},
		{"not aligned", func(f *frames) { p, _ := f.alloc(0, DMA); f.release(p+1, DMA) }},
		{"not memory", func(f *frames) { f.release(1<<40, DMA) }},
		{"never handed out", func(f *frames) { f.release(PageSize, DMA) }},
		{"split of free memory", func(f *frames) { p, _ := f.alloc(2, DMA); f.release(p, DMA); f.split(p) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := &frames{}
			fillArena(t, f, 1<<20)
			defer func() {
				if recover() == nil {
					t.Error("not noticed")
				}
			}()
			test.misuse(f)
		})
	}
}

// TestMemoryMaps adds sloppy maps and checks that exactly the frames that are
// usable and not reserved can be had, each once.
func TestMemoryMaps(t *testing.T) {
	const size = 64 << 20
	tests := []struct {
		name             string
		usable, reserved []PhysRange
	}{
		{"pc", []PhysRange{{0, 0x9fc00}, {0x100000, 0x2000000}}, []PhysRange{{0x100000, 0x345678}}},
		{"unsorted", []PhysRange{{0x200000, 0x100000}, {0x100000, 0x100000}}, []PhysRange{{0x180000, 0x100}, {0x101000, 1}}},
		{"overlapping", []PhysRange{{0x100000, 0x200000}, {0x180000, 0x300000}, {0x100000, 0x1000}}, nil},
		{"nothing left", []PhysRange{{0x100000, 0x100000}}, []PhysRange{{0, 1 << 32}}},
		{"far apart", []PhysRange{{0x1000, 0x100000}, {0x3000000, 0x1000000}}, []PhysRange{{0x3000000, 0x10000}}},
		{"crumbs", []PhysRange{{0x1001, 0xffe}, {0x5000, 0}, {0x6800, 0x1800}, {0x100000, 0x8000}}, nil},
		{"none", nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := &frames{}
			newArena(t, f, size)
			f.add(test.usable, test.reserved)
			want := map[uint32]bool{}
			for n := uint32(1); n < size/PageSize; n++ {
				page := PhysRange{address(n), PageSize}
				whole := false
				for _, r := range test.usable {
					// A frame made of two adjoining ranges is not expected.
					whole = whole || r.Base <= page.Base && r.End() >= page.End()
				}
				_, taken := firstOverlap(page, test.reserved)
				for i := range f.spanCount {
					taken = taken || f.recordsOf(i).overlaps(page)
				}
				if whole && !taken && f.record(n) != nil {
					want[n] = true
				}
			}
			checkFrames(t, f)
			if u := f.ledger.read(); u.Free != uint64(len(want)) {
				t.Errorf("%d frames free, want %d", u.Free, len(want))
			}
			for {
				p, ok := f.alloc(0, Kernel)
				if !ok {
					break
				}
				if !want[number(p)] {
					t.Fatalf("frame %#x is not free memory", p)
				}
				delete(want, number(p))
			}
			if len(want) != 0 {
				t.Errorf("%d frames cannot be had", len(want))
			}
		})
	}
}

// TestAllocPages takes runs of any length, of which each frame is released alone.
func TestAllocPages(t *testing.T) {
	rnd := seeded(t)
	f := new(frames)
	fillArena(t, f, 32<<20)
	before := f.ledger.read()
	used := map[Phys]Owner{}
	for step := range 3000 {
		if rnd.IntN(3) > 0 {
			count, owner, zeroed := uint32(1+rnd.IntN(300)), Owner(1+rnd.IntN(int(owners)-1)), rnd.IntN(2) == 0
			p, ok := f.allocPages(count, owner, zeroed)
			if !ok {
				continue
			}
			for i := range Phys(count) {
				frame := p + i*PageSize
				if _, is := used[frame]; is {
					t.Fatalf("step %d: frame %#x handed out twice", step, frame)
				}
				used[frame] = owner
				b := bytesAt(f.at(frame), PageSize)
				if zeroed && !bytes.Equal(b, make([]byte, PageSize)) {
					t.Fatalf("step %d: frame %#x is not zeroed", step, frame)
				}
				b[rnd.IntN(PageSize)] = 1
			}
		} else {
			n := rnd.IntN(400)
			for frame, owner := range used {
				if n--; n < 0 {
					break
				}
				f.release(frame, owner)
				delete(used, frame)
			}
		}
		if step%100 == 0 {
			checkFrames(t, f)
		}
		if u := f.ledger.read(); u.Free != before.Free-uint64(len(used)) {
			t.Fatalf("step %d: %d frames are free of %d, %d are in use", step, u.Free, before.Free, len(used))
		}
	}
	for frame, owner := range used {
		f.release(frame, owner)
	}
	checkFrames(t, f)
	if u := f.ledger.read(); u != before {
		t.Errorf("frames leaked: %+v before, %+v after", before, u)
	}
}
