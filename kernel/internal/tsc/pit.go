package tsc

import "nuos/kernel/internal/x86"

// Channel 0 of the 8254 interval timer. It needs no gate, as channel 2 does, whose
// gate is behind a port that QEMU's microvm does not have. The interrupt that it
// would raise is masked.

const (
	pitData    = 0x40
	pitCommand = 0x43
)

// startPIT has the channel count down from 65535 once, in 55 ms (mode 0).
func startPIT() {
	x86.Out8(pitCommand, 0b00_11_000_0) // channel 0, both bytes, mode 0, binary
	x86.Out8(pitData, 0xFF)
	x86.Out8(pitData, 0xFF)
}

// readPIT returns what has been counted; false if it came to its end, or if there is no
// timer, whose ports read as all ones: its output is high then.
func readPIT() (uint32, bool) {
	const notLoaded, output = 1 << 6, 1 << 7
	for range 1000 {
		x86.Out8(pitCommand, 0b11_00_001_0) // latch status and count of channel 0
		status := x86.In8(pitData)
		low := x86.In8(pitData)
		high := x86.In8(pitData)
		switch {
		case status&output != 0:
			return 0, false
		case status&notLoaded == 0:
			return 0xFFFF - (uint32(high)<<8 | uint32(low)), true
		}
	}
	return 0, false
}
