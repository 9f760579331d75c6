//go:build metal

package kernel

import (
	"sync/atomic"

	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// Flushing translations on all processors. One request is under way at a time;
// the requester waits until every other processor has answered. A processor
// answers when the interrupt reaches it, and wherever it waits with interrupts
// off: in relax, which all lock loops call, and in the idle loop.

var flush struct {
	busy       atomic.Uint32
	generation atomic.Uint64
	what       mm.Range // of generation; written before it
}

// flushAll forgets the translations of r everywhere. It is mm's Hooks.Flush.
func flushAll(r mm.Range) {
	mm.FlushLocal(r)
	if numCPUs == 1 {
		return
	}
	for !flush.busy.CompareAndSwap(0, 1) {
		relax()
	}
	self := thisCPU()
	flush.what = r
	g := flush.generation.Add(1)
	self.flushed.Store(g)
	for i := range numCPUs {
		if c := &cpus[i]; c != self {
			c.interrupt(vecFlush)
		}
	}
	for i := range numCPUs {
		for cpus[i].flushed.Load() != g {
			x86.Pause()
		}
	}
	flush.busy.Store(0)
}

// answerFlush does what was asked of this processor, if anything.
func answerFlush() {
	c := thisCPU()
	if g := flush.generation.Load(); c.flushed.Load() != g {
		mm.FlushLocal(flush.what)
		c.flushed.Store(g)
	}
}
