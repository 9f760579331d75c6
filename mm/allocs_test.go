//go:build !race

package mm

import "testing"

// TestPagesAllocateNothing: giving memory to a heap and taking it back, and finding out where it
// lies, allocate nothing of Go's heap.
func TestPagesAllocateNothing(t *testing.T) {
	r := Range{HeapArea.Base + 1<<40, 64 << 10}
	pages := func() {
		if err := Map(r); err != nil {
			t.Fatal(err)
		}
		for at := r.Base; at < r.Base+Virt(r.Size); at += PageSize {
			if _, _, ok := Translate(at); !ok {
				t.Fatalf("%#x is not translated", uint64(at))
			}
		}
		Bytes(r)[0] = 1
		if err := Unmap(r); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, pages); n != 0 {
		t.Errorf("mapping, writing and unmapping 64 KiB allocates %v times", n)
	}
	r.Size = 4 << 20 // not of the kind that shares mappings
	if n := testing.AllocsPerRun(50, pages); n != 0 {
		t.Errorf("mapping, writing and unmapping 4 MiB allocates %v times", n)
	}
}
