//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// stats is guarded by the kernel's lock. What has an event is counted by each
// processor (trace.go).
var stats struct {
	strayInterrupts, watched uint64
	unknown                  [512]uint32 // by system call number; the last for all others
}

// Statistics counts what the kernel has done since the machine started.
type Statistics struct {
	Processors, Threads         uint64 // now
	Calls, Signals, PageFaults  uint64
	Interrupts, StrayInterrupts uint64 // the latter without a use
	Interprocessor              uint64 // interrupts sent from one processor to another
	Switches                    uint64 // of threads
	WatchedWords                uint64 // changes that an idle processor saw before the interrupt
	UnknownCalls                uint64
	Busy                        uint64 // processor time of all threads, ns
}

// Stats returns the kernel's statistics. Goroutine context.
func Stats() (s Statistics) {
	syscall.RawSyscall(nrStats, uintptr(unsafe.Pointer(&s)), 0, 0)
	return s
}

func readStats(addr uint64) uint64 {
	s := Statistics{
		Processors: uint64(numCPUs), Threads: uint64(numThreads),
		Calls: countedCalls(), Signals: counted(eventSignal), PageFaults: counted(eventFault),
		Interrupts: countedInterrupts(), StrayInterrupts: stats.strayInterrupts, Interprocessor: counted(eventIPI),
		Switches: counted(eventSwitch), WatchedWords: stats.watched, Busy: uint64(processTime()),
	}
	for _, n := range stats.unknown {
		s.UnknownCalls += uint64(n)
	}
	if !copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&s)), unsafe.Sizeof(s)) {
		return errno(eFAULT)
	}
	return 0
}

// unknownCall answers a call that the kernel does not have, and names it on the
// console the first time.
func unknownCall(nr uint64) uint64 {
	i := min(nr, uint64(len(stats.unknown)-1))
	stats.unknown[i]++
	if stats.unknown[i] == 1 {
		printString("nuos: system call ")
		printInt(int64(nr))
		if name := callName(i); name != "" {
			printString(" ")
			printString(name)
		}
		printString(" is not implemented\n")
	}
	return errno(eNOSYS)
}
