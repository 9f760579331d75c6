//go:build metal

package main

import (
	"fmt"
	"runtime/debug"
	"syscall"
	"time"

	"nuos/kernel"
	"nuos/mm"
)

func init() { exercises["large"] = largePages }

// largePages touches memory in order, once in pages that grow with it and once in small
// ones, and counts the faults. The Go heap gets the former, and its memory goes back.
func largePages([]string) error {
	const size, pages = 32 << 20, 32 << 20 / mm.PageSize
	fill := func(b []byte) (faults uint64, took time.Duration) {
		before, start := kernel.Stats().PageFaults, time.Now()
		for i := 0; i < len(b); i += mm.PageSize {
			b[i] = 1
		}
		return kernel.Stats().PageFaults - before, time.Since(start)
	}
	for _, try := range []struct {
		name     string
		advice   int
		min, max uint64
	}{
		{"large pages", 0, size >> 21, pages / 4},
		{"small pages", syscall.MADV_NOHUGEPAGE, pages, pages + 500},
	} {
		b, err := syscall.Mmap(-1, 0, size, readWrite, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return err
		}
		if err := syscall.Madvise(b, try.advice); err != nil {
			return err
		}
		faults, took := fill(b)
		fmt.Printf("large: %s: %d faults for %d MiB in %v\n", try.name, faults, size>>20, took)
		if faults < try.min || faults > try.max {
			return fmt.Errorf("%s: %d faults, want %d to %d", try.name, faults, try.min, try.max)
		}
		if err := syscall.Munmap(b); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	before := mm.Frames().Program
	heap := make([]byte, size)
	faults, took := fill(heap)
	fmt.Printf("large: the Go heap: %d faults for %d MiB in %v\n", faults, size>>20, took)
	if faults > pages/4 {
		return fmt.Errorf("the Go heap took %d faults for %d pages", faults, pages)
	}
	heap = nil
	debug.FreeOSMemory()
	const slack = 1024 // what else the runtime has taken meanwhile
	if after := mm.Frames().Program; after > before+slack {
		return fmt.Errorf("the program had %d frames, has %d after it gave all back", before, after)
	}
	return nil
}
