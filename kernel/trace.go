//go:build metal

package kernel

import (
	"sync/atomic"
	"unsafe"

	"nuos/kernel/internal/x86"
)

// The trace: each processor keeps its last events in a ring of its own and counts
// them by kind. Recording takes no lock, allocates nothing and is always on. The
// rings are printed by a kernel panic (tracedump.go); `nuos trace` and `nuos stat`
// read rings and counters in the memory of a machine that runs, or of one that
// crashed, and take names and layouts from the image, so that they never disagree.

// event is one entry of a ring.
type event struct {
	time uint64 // TSC
	tid  int32  // of the thread that was current, 0 for none
	kind eventKind
	_    byte
	what uint16 // see eventNames
	a, b uint64
}

type eventKind uint8

const (
	eventNone      eventKind = iota
	eventCall                // system call callIndex(what) with first argument a; b is the result, blocked if it waits; see recordCall
	eventSwitch              // to thread a, from tid if that did not wait or end
	eventIdle                // nothing is ready
	eventWake                // of thread a
	eventIPI                 // vector what, sent to processor a
	eventTimer               // interrupt of the timer
	eventKick                // interrupt of another processor that has work for this one
	eventFlush               // interrupt of another processor that changed translations
	eventDevice              // interrupt of a device, vector what
	eventFault               // page fault that was resolved, error code what, at address a, by the instruction b
	eventException           // exception what of the program, at instruction b, with address a
	eventSignal              // signal what is delivered to thread a
	numEvents
)

// eventNames names kinds, what, a and b. A name that ends in 0x stands
// before a hexadecimal number; an empty one says that there is no such number.
var eventNames = [numEvents][4]string{
	eventCall:      {"call", "number", "argument", "result"},
	eventSwitch:    {"switch", "", "to thread", ""},
	eventIdle:      {"idle", "", "", ""},
	eventWake:      {"wake", "", "thread", ""},
	eventIPI:       {"ipi", "vector 0x", "to processor", ""},
	eventTimer:     {"timer", "", "", ""},
	eventKick:      {"kick", "", "", ""},
	eventFlush:     {"flush", "", "", ""},
	eventDevice:    {"device", "vector 0x", "", ""},
	eventFault:     {"fault", "code 0x", "address 0x", "ip 0x"},
	eventException: {"exception", "vector", "address 0x", "ip 0x"},
	eventSignal:    {"signal", "number", "to thread", ""},
}

const (
	ringOrder  = 2 // 16 KiB
	ringEvents = 4096 << ringOrder / unsafe.Sizeof(event{})
)

// record adds an event to the processor's ring.
// Precondition: c is this processor, and interrupts are off. A non-maskable
// interrupt may come between, but records nothing.
func (c *cpu) record(kind eventKind, tid int32, what uint16, a, b uint64) {
	e := (*event)(pointer(c.ring + c.recorded%ringEvents*unsafe.Sizeof(event{})))
	c.recorded++
	c.counts[kind]++
	e.time, e.tid, e.kind, e.what, e.a, e.b = x86.ReadTSC(), tid, kind, what, a, b
}

// currentTID is the thread that runs on the processor, 0 if none does.
func (c *cpu) currentTID() int32 {
	if t := threadOn(c); t != nil {
		return t.tid
	}
	return 0
}

// Calls are counted in slots: one for each number of Linux's, ours behind them,
// and the last for all others.
const (
	callSlots = 512
	ownSlot   = callSlots - 16
	otherSlot = callSlots - 1
)

// callCounts fill a frame of each processor's, by slot.
type callCounts [callSlots]uint64

// callIndex is the slot of a call.
func callIndex(nr uint64) uint16 {
	switch {
	case nr < ownSlot:
		return uint16(nr)
	case nr-nrSetReady < otherSlot-ownSlot:
		return uint16(nr - nrSetReady + ownSlot)
	}
	return otherSlot
}

// traceCalls is the boot parameter trace=calls. Recording a call costs a quarter of
// the shortest ones, most of it for the clock, so those that neither wait nor fail
// are only counted unless it is asked for.
var traceCalls atomic.Bool

// countCall counts the call that t is about to make.
func (c *cpu) countCall(t *thread) { (*callCounts)(pointer(c.calls))[callIndex(t.ax)%callSlots]++ }

// recorded reports whether a call with that result is recorded.
func recorded(result uint64) bool {
	return result >= blocked || traceCalls.Load() // errors are large numbers, too
}

// recordCall records a call of a thread's with its first argument and its result. Who
// has no result but does not wait has returned from a signal handler.
func (c *cpu) recordCall(tid int32, nr, a, result uint64) {
	if result == blocked && c.current != 0 {
		if !traceCalls.Load() {
			return
		}
		result = 0
	}
	c.record(eventCall, tid, callIndex(nr), a, result)
}

// counted is the sum of a counter over all processors.
//
//go:noinline
func counted(kind eventKind) uint64 {
	n := uint64(0)
	for i := range numCPUs {
		n += cpus[i].counts[kind]
	}
	return n
}

// countedCalls is how many system calls there were.
func countedCalls() uint64 {
	n := uint64(0)
	for i := range numCPUs {
		for _, made := range (*callCounts)(pointer(cpus[i].calls)) {
			n += made
		}
	}
	return n
}

// countedInterrupts is how many interrupts there were.
func countedInterrupts() uint64 {
	return counted(eventTimer) + counted(eventKick) + counted(eventFlush) + counted(eventDevice)
}
