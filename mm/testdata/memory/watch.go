//go:build metal

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"nuos/mm"
)

// watch copies a heap, in rounds, that goroutines on all processors write. Then they
// stop, and the copy is the heap after one round more. Most of it has not been copied again.
func watch() {
	const size = 12 << 20
	h, err := mm.CreateHeap(mm.Range{Base: mm.HeapArea.Base + 6<<40, Size: 32 << 20}, 1, 1)
	if err != nil {
		fail("%v", err)
		return
	}
	defer h.Destroy()
	p, err := h.Alloc(size)
	if err != nil {
		fail("%v", err)
		return
	}
	w, err := h.Watch()
	if err != nil {
		fail("%v", err)
		return
	}
	words := unsafe.Slice((*uint64)(p), size/8)
	there := map[mm.Virt][]byte{}
	copied := 0
	round := func() (used []mm.Range) {
		used, changed, err := w.Changed()
		if err != nil {
			fail("%v", err)
			return nil
		}
		copied = 0
		for _, r := range changed {
			for v := r.Base; v < r.End(); v += mm.PageSize {
				there[v] = slices.Clone(mm.Bytes(mm.Range{Base: v, Size: mm.PageSize}))
				copied++
			}
		}
		w.Copied()
		return used
	}
	var over atomic.Bool
	var written atomic.Int64
	var writers sync.WaitGroup
	for range 4 {
		seed := rand.Uint64()
		fmt.Printf("watch: seed %d\n", seed)
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for !over.Load() {
				for range 50 {
					words[rng.IntN(len(words)/16)] = rng.Uint64() // most is not written
				}
				written.Add(50)
			}
		})
	}
	for range 12 {
		before := written.Load()
		round()
		for written.Load() < before+200 {
		}
	}
	over.Store(true)
	writers.Wait()
	used := round()
	fmt.Printf("watch: %d pages in the last round, of %d; %d writes\n", copied, len(there), written.Load())
	if copied > len(there)/4 {
		fail("%d pages have changed of %d, most of which nobody has written", copied, len(there))
	}
	for _, r := range used {
		for v := r.Base; v < r.End(); v += mm.PageSize {
			if !bytes.Equal(there[v], mm.Bytes(mm.Range{Base: v, Size: mm.PageSize})) {
				fail("page %#x is not what was copied", uint64(v))
				return
			}
		}
	}
	if round(); copied > 4 {
		fail("%d pages have changed, and nobody has written", copied)
	}
	w.End()
}
