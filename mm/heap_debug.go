package mm

import (
	"fmt"
	"unsafe"
)

// With the build tag proclet_debug all free memory of a heap that has frames is
// filled with a pattern, except for what the allocator keeps in it, and allocating
// from it checks that it still is: a write to an object after it was freed stops
// the program at the next use of that memory. What is read of a freed object makes
// no sense, and as a pointer faults.

// PoisonWord is what freed memory is filled with in such a program. It is no address,
// has odd bits where lengths and flags are, and is no number that programs use.
const PoisonWord = 0xdbdbdbdbdbdbdbdb

func (h *Heap) words(from, to uint64) []uint64 {
	if from >= to {
		return nil
	}
	return unsafe.Slice(h.word(from), (to-from)/8)
}

// poison fills memory that has become free, between two offsets.
func (h *Heap) poison(from, to uint64) {
	if !Debug {
		return
	}
	for i, w := 0, h.words(from, to); i < len(w); i++ {
		w[i] = PoisonWord
	}
}

// poisonNew fills memory that was mapped as free memory.
func (h *Heap) poisonNew(from, to uint64) { h.poison(from, to) }

// written returns the offset of a word between two offsets that is not poison any
// more, or 0.
func (h *Heap) written(from, to uint64) uint64 {
	if !Debug {
		return 0
	}
	for i, w := range h.words(from, to) {
		if w != PoisonWord {
			return from + uint64(i)*8
		}
	}
	return 0
}

// unpoisoned is written for the free block p with a hole.
func (h *Heap) unpoisoned(p uint64, hole pageRun) uint64 {
	from, to := p+freeHeader, p+h.size(p)-2*headerSize
	if hole.from == hole.to {
		return h.written(from, to)
	}
	if off := h.written(from, uint64(hole.from)*PageSize); off != 0 {
		return off
	}
	return h.written(uint64(hole.to)*PageSize, to)
}

// checkPoison stops the program if the free block p, which is about to be used,
// was written to.
func (h *Heap) checkPoison(p uint64, hole pageRun) { h.mustBePoison(h.unpoisoned(p, hole)) }

// checkUnused is checkPoison for memory behind the last block.
func (h *Heap) checkUnused(from, to uint64) { h.mustBePoison(h.written(from, to)) }

func (h *Heap) mustBePoison(off uint64) {
	if off != 0 {
		h.mu.Unlock()
		panic(fmt.Sprintf("mm: heap at %#x: %#x was written to after it had been freed: %#x", h.base, h.base+Virt(off), *h.word(off)))
	}
}
