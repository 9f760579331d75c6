package mm

import (
	"errors"
	"testing"
)

func TestStacks(t *testing.T) {
	for range 2 {
		if err := MapStacks(); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []Virt{StackArea.Base, StackArea.Base + Virt(StackArea.Size/2), StackArea.End() - 2*PageSize} {
		r := Range{v, 2 * PageSize}
		b := Bytes(r)
		b[0], b[PageSize] = 1, 2
		if err := DiscardStack(Range{v, PageSize}); err != nil {
			t.Fatal(err)
		}
		if b[0] != 0 || b[PageSize] != 2 {
			t.Errorf("at %#x: %d, %d after the first page was discarded; want 0, 2", uint64(v), b[0], b[PageSize])
		}
		if err := DiscardStack(r); err != nil || b[PageSize] != 0 {
			t.Errorf("at %#x: %d, %v after all was discarded", uint64(v), b[PageSize], err)
		}
	}
	for _, r := range []Range{
		{HeapArea.Base, PageSize},
		{StackArea.End() - PageSize, 2 * PageSize},
		{StackArea.Base + 1, PageSize},
		{StackArea.Base, 0},
	} {
		if err := DiscardStack(r); !errors.Is(err, ErrRange) {
			t.Errorf("DiscardStack(%#x, %d) = %v; want ErrRange", uint64(r.Base), r.Size, err)
		}
	}
}
