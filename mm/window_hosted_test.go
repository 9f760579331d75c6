//go:build !metal

package mm

import "testing"

// TestSmallPiecesShareMappings has more small heaps, at addresses far apart, than
// there can be mappings, and maps longer pieces among them.
func TestSmallPiecesShareMappings(t *testing.T) {
	unchangedFrames(t)
	const heaps = 100000
	h, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	base := heapRange(heaps << 20).Base
	at := func(i int) Range { return Range{base + Virt(i)<<20, PageSize} }
	piece := func(i int) Range { return Range{base + Virt(i)<<20 + 1<<19, 64 << 10} }
	mark := func(r Range) *int { return (*int)(pointer(r.End() - 8)) }
	for i := range heaps {
		if err := Map(at(i)); err != nil {
			t.Fatalf("heap %d: %v", i, err)
		}
		*mark(at(i)) = i + 1
		if i%100 == 0 {
			if err := Map(piece(i)); err != nil {
				t.Fatal(err)
			}
			*mark(piece(i)) = -i
		}
	}
	if h.pieces > 3*heaps/100 {
		t.Errorf("%d mappings for %d small heaps, %d of which have another piece", h.pieces, heaps, heaps/100)
	}
	for i := range heaps {
		p, n, ok := Translate(at(i).Base)
		if got := *mark(at(i)); got != i+1 || !ok || n < PageSize || *mark(Range{Direct(p), PageSize}) != i+1 {
			t.Fatalf("heap %d holds %d; it is at %#x, %v", i, got, p, ok)
		}
		if i%100 == 0 {
			if got := *mark(piece(i)); got != -i {
				t.Fatalf("the other piece of heap %d holds %d", i, got)
			}
			if err := Unmap(piece(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := Unmap(at(i)); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 0 { // what is mapped again is zero
			if err := Map(at(i)); err != nil {
				t.Fatal(err)
			}
			if got := *mark(at(i)); got != 0 {
				t.Fatalf("new memory holds %d", got)
			}
			if err := Unmap(at(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(h.windows.open) != 0 || h.pieces != 0 {
		t.Errorf("%d windows are open, %d mappings counted", len(h.windows.open), h.pieces)
	}
}

// Small pieces take memory that others can then not have.
func TestSmallPiecesAreBooked(t *testing.T) {
	unchangedFrames(t)
	before := Frames()
	large, small := heapRange(1<<30), heapRange(1<<30)
	n := uint64(0)
	for ; Map(Range{large.Base + Virt(n), LargePage}) == nil; n += LargePage {
	}
	count := 0
	for ; Map(Range{small.Base + Virt(count)*smallPiece, smallPiece}) == nil; count++ {
	}
	if u := Frames(); u.Free > 3*smallPiece/PageSize || u.Total != before.Total || count == 0 {
		t.Errorf("%+v with %d small pieces", u, count)
	}
	for i := range count {
		if err := Unmap(Range{small.Base + Virt(i)*smallPiece, smallPiece}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Unmap(Range{large.Base, n}); err != nil {
		t.Fatal(err)
	}
}
