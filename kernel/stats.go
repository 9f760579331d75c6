//go:build metal

package kernel

import "sync/atomic"

var stats struct {
	calls, interrupts, strayInterrupts, signals, watched uint64
	pageFaults                                           atomic.Uint64
	unknown                                              [512]uint32 // by system call number; the last for all others
}

// unknownCall answers a call that the kernel does not have, and names it on the
// console the first time.
func unknownCall(nr uint64) uint64 {
	i := min(nr, uint64(len(stats.unknown)-1))
	stats.unknown[i]++
	if stats.unknown[i] == 1 {
		printString("nuos: system call ")
		printInt(int64(nr))
		if i < uint64(len(callNames)) {
			printString(" ")
			printString(callNames[i])
		}
		printString(" is not implemented\n")
	}
	return errno(eNOSYS)
}
