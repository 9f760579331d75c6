//go:build proclet_debug

package mm

import (
	"errors"
	"testing"
	"unsafe"
)

// Writing to freed memory is noticed, by Check at once and when the memory is used
// again.
func TestHeapNoticesWritesToFreedMemory(t *testing.T) {
	for what, prepare := range map[string]func(h *Heap) unsafe.Pointer{
		"a free block": func(h *Heap) unsafe.Pointer {
			p, _ := h.Alloc(200)
			h.Alloc(100)
			h.Free(p)
			return unsafe.Add(p, 100)
		},
		"what two blocks became": func(h *Heap) unsafe.Pointer {
			p, _ := h.Alloc(100)
			q, _ := h.Alloc(96)
			h.Alloc(100)
			h.Free(p)
			h.Free(q)
			return unsafe.Add(q, -8)
		},
		"behind the last block": func(h *Heap) unsafe.Pointer {
			p, _ := h.Alloc(200)
			h.Free(p)
			return unsafe.Add(p, 40)
		},
	} {
		h := testHeap(t, MinHeap)
		word := (*uint64)(prepare(h))
		if *word != PoisonWord {
			t.Errorf("%s holds %#x", what, *word)
		}
		if err := h.Check(); err != nil {
			t.Error(err)
		}
		*word = 7
		if err := h.Check(); !errors.Is(err, ErrHeapCorrupt) {
			t.Errorf("%s was written to: Check = %v", what, err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was written to and used again", what)
				}
			}()
			h.Alloc(200)
		}()
		h.Destroy()
	}
}
