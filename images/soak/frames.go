package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"nuos/mm"
)

// memory is what the machine's frames were used for at one moment.
type memory struct {
	mm.Usage
	threads uint64
}

func (m memory) String() string {
	return fmt.Sprintf("%d frames free of %d: the program has %d, page tables %d, the kernel %d, %d threads",
		m.Free, m.Total, m.Program, m.PageTables, m.Kernel, m.threads)
}

// settled waits until nothing begins or ends any more, gives back what can be given, and
// returns what is left.
func settled() memory {
	runtime.GC()
	debug.FreeOSMemory()
	m := memory{mm.Frames(), threads()}
	for {
		time.Sleep(200 * time.Millisecond)
		debug.FreeOSMemory()
		next := memory{mm.Frames(), threads()}
		if next.threads == m.threads && next.Free == m.Free {
			return next
		}
		m = next
	}
}

// slack is how many frames the Go runtime may have more than before: it does not give back
// a page that still has one small object.
const slack = 512

// kernelSlack is the same for the kernel's small objects, of which there are four sizes. How many
// pages they lie in depends on how many there were at a time: who talks to the machine from
// outside does so at any time.
const kernelSlack = 4

// lost says what the machine does not have any more, if anything: to the frame, but for
// what the kernel and Go's runtime keep for themselves, with page tables for it, and a frame for
// each thread.
func (m memory) lost(before memory) error {
	kernel, was := m.Kernel-m.threads, before.Kernel-before.threads
	switch {
	case kernel > was+kernelSlack:
		return fmt.Errorf("the kernel has %d frames besides threads, and had %d", kernel, was)
	case m.DMA != before.DMA || m.Heaps != before.Heaps:
		return fmt.Errorf("DMA has %d frames and had %d, proclets have %d and had %d", m.DMA, before.DMA, m.Heaps, before.Heaps)
	case m.Free+slack < before.Free:
		return fmt.Errorf("%d frames are free, and %d were", m.Free, before.Free)
	}
	return nil
}

func collections() uint32 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.NumGC
}
