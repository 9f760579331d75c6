package mm

import (
	"math/rand/v2"
	"testing"
)

func newTables(t testing.TB, size uint64) *tables {
	t.Helper()
	tab := &tables{}
	fillArena(t, &tab.frames, size)
	if !tab.init() {
		t.Fatal("no frame for the root")
	}
	return tab
}

// countTables counts the tables below one, and checks their entry counts.
func countTables(t *testing.T, tab *tables, table Phys, level int) (count uint64) {
	t.Helper()
	used := uint32(0)
	for i := range 512 {
		e := tab.load(table, i)
		if e == 0 {
			continue
		}
		used++
		if !isLeaf(e, level) {
			count += countTables(t, tab, Phys(e&entryAddress), level-1)
		}
	}
	if got := tab.frames.record(number(table)).prev; got != used {
		t.Fatalf("table %#x at level %d counts %d entries, has %d", table, level, got, used)
	}
	return count + 1
}

func checkTables(t *testing.T, tab *tables) {
	t.Helper()
	if got, want := tab.frames.ledger.read().PageTables, countTables(t, tab, tab.root, rootLevel); got != want {
		t.Fatalf("%d frames booked for tables, %d tables reachable", got, want)
	}
}

type modelPage struct {
	phys Phys
	prot Prot
}

// TestTablesAgainstModel maps foreign memory with pages of all sizes, cuts,
// protects and unmaps at random, and compares every page with a map.
func TestTablesAgainstModel(t *testing.T) {
	rnd := seeded(t)
	tab := newTables(t, 16<<20)
	before := tab.frames.ledger.read()
	// A window around a 1 GiB boundary, so that all levels change in it.
	const window = 1100
	base := Virt(0x5000_4000_0000 - 550*PageSize)
	model := map[Virt]modelPage{}
	prots := []Prot{ProtNone, ProtRead, ProtRead | ProtWrite, ProtRead | ProtExec}
	some := func() Range {
		a := rnd.IntN(window)
		n := 1 + rnd.IntN(window-a)
		if rnd.IntN(2) == 0 {
			n = 1 + rnd.IntN(min(n, 16))
		}
		return Range{base + Virt(a)*PageSize, uint64(n) * PageSize}
	}
	for step := range 3000 {
		r := some()
		switch rnd.IntN(4) {
		case 0, 1:
			free := true
			for v := r.Base; v < r.End(); v += PageSize {
				_, mapped := model[v]
				free = free && !mapped
			}
			// Often the same offset in a large page, so that large pages fit.
			p := Phys(1<<40) + Phys(uint64(r.Base)%LargePage)
			if rnd.IntN(3) == 0 {
				p += PageSize
			}
			prot := prots[rnd.IntN(len(prots))]
			if got := tab.mapRange(r, p, prot.entry(), 2); got != free {
				t.Fatalf("step %d: mapRange(%x) = %v, want %v", step, r, got, free)
			}
			for i := Virt(0); free && i < Virt(r.Size); i += PageSize {
				model[r.Base+i] = modelPage{p + Phys(i), prot}
			}
		case 2:
			if !tab.cut(r.Base) || !tab.cut(r.End()) {
				t.Fatal("no frame to cut a page")
			}
			tab.unmapRange(r)
			for v := r.Base; v < r.End(); v += PageSize {
				delete(model, v)
			}
		case 3:
			if !tab.cut(r.Base) || !tab.cut(r.End()) {
				t.Fatal("no frame to cut a page")
			}
			prot := prots[rnd.IntN(len(prots))]
			tab.protect(r, prot)
			for v := r.Base; v < r.End(); v += PageSize {
				if m, ok := model[v]; ok {
					model[v] = modelPage{m.phys, prot}
				}
			}
		}
		if step%20 == 0 {
			compareTables(t, tab, model, base, window, rnd)
			checkTables(t, tab)
		}
	}
	tab.unmapRange(Range{base, window * PageSize})
	if after := tab.frames.ledger.read(); after != before {
		t.Errorf("tables leaked: %+v before, %+v after", before, after)
	}
}

func compareTables(t *testing.T, tab *tables, model map[Virt]modelPage, base Virt, window int, rnd *rand.Rand) {
	t.Helper()
	for i := range window {
		v := base + Virt(i)*PageSize
		want, mapped := model[v]
		e, level, _ := tab.leaf(v)
		if (e != 0) != mapped {
			t.Fatalf("page %x: mapped %v, want %v", v, e != 0, mapped)
		}
		if !mapped {
			continue
		}
		got := e & (entryPresent | entryWrite | entryNoExec)
		p := Phys(e&entryAddress) + Phys(uint64(v)&(pageSize(level)-1))
		if got != want.prot.entry() || p != want.phys {
			t.Fatalf("page %x: %x at %x, want %+v", v, got, p, want)
		}
		offset := Virt(rnd.IntN(PageSize))
		p, contiguous, ok := tab.translate(v + offset)
		if ok != (want.prot != ProtNone) || ok && p != want.phys+Phys(offset) {
			t.Fatalf("translate(%x) = %x, %v, want %+v", v+offset, p, ok, want)
		}
		for n := PageSize - uint64(offset); ok && n < contiguous; n += PageSize {
			far := model[v+offset+Virt(n)]
			if far.phys != want.phys+Phys(uint64(offset)+n) || far.prot == ProtNone {
				t.Fatalf("translate(%x) says %d bytes are contiguous; not at %d", v+offset, contiguous, n)
			}
		}
	}
}

// TestBackAllOrNothing asks for more than there is, and for what there is.
func TestBackAllOrNothing(t *testing.T) {
	tab := newTables(t, 8<<20)
	before := tab.frames.ledger.read()
	tests := []struct {
		r    Range
		want bool
	}{
		{Range{0x5000_0000_0000, 1 << 20}, true},
		{Range{0x5000_0000_0000, 64 << 20}, false},
		{Range{0x5000_001f_f000, 4<<20 + 0x3000}, true},
		{Range{0x5000_0000_0000, before.Free * PageSize}, false}, // no frame for tables
		{Range{0x5000_0020_0000, 2 << 20}, true},
	}
	for _, test := range tests {
		if got := tab.back(test.r, Heaps, ProtRead|ProtWrite, true); got != test.want {
			t.Errorf("back(%x) = %v, want %v", test.r, got, test.want)
		}
		checkTables(t, tab)
		if test.want {
			if got := tab.frames.ledger.read().Heaps; got != test.r.Size/PageSize {
				t.Errorf("back(%x) booked %d frames", test.r, got)
			}
			for v := test.r.Base; v < test.r.End(); v += PageSize {
				p, _, ok := tab.translate(v)
				if !ok {
					t.Fatalf("%x is not mapped", v)
				}
				for _, b := range bytesAt(tab.frames.at(p), PageSize) {
					if b != 0 {
						t.Fatalf("page %x is not zero", v)
					}
				}
				bytesAt(tab.frames.at(p), 1)[0] = 1
			}
		}
		tab.unmapRange(test.r)
		if after := tab.frames.ledger.read(); after != before {
			t.Fatalf("%x: frames leaked: %+v before, %+v after", test.r, before, after)
		}
	}
}

// TestFlushBeforeReuse checks that frames and tables are still in use, and not
// reachable any more, while the flush runs.
func TestFlushBeforeReuse(t *testing.T) {
	tab := newTables(t, 8<<20)
	r := Range{0x5000_0000_0000, 3 << 20}
	if !tab.back(r, Heaps, ProtRead|ProtWrite, true) {
		t.Fatal("no memory")
	}
	mapped := tab.frames.ledger.read()
	var flushed []Range
	SetHooks(Hooks{Flush: func(r Range) {
		flushed = append(flushed, r)
		if u := tab.frames.ledger.read(); u != mapped {
			t.Errorf("freed before the flush: %+v, was %+v", u, mapped)
		}
		if !tab.empty(r) {
			t.Error("still mapped at the flush")
		}
	}})
	defer SetHooks(Hooks{})
	tab.unmapRange(r)
	if len(flushed) != 1 || flushed[0] != r {
		t.Errorf("flushed %x, want %x", flushed, r)
	}
	tab.unmapRange(r)
	if len(flushed) != 1 {
		t.Error("flush although nothing was mapped")
	}
}
