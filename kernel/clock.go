//go:build metal

package kernel

import (
	"math/bits"

	"nuos/kernel/internal/x86"
)

// The clock is the time stamp counter, scaled. Its rate comes from whoever
// knows it: the hypervisor, the processor, or the interval timer against which
// it is measured.

// clockState is read by vdsoClockGettime. It does not change once threads run,
// except for wall, by which real time is ahead of time since boot.
type clockState struct {
	tsc     uint64 // at time 0
	mult    uint64 // ns per TSC tick, 32.32 fixed point
	wall    uint64 // ns
	perNano uint64 // TSC ticks per ns, 32.32 fixed point
	source  clockSource
}

var clock clockState

type clockSource uint8

const (
	clockNone clockSource = iota
	clockKVM
	clockHypervisor
	clockCPUID
	clockPIT
)

var clockNames = [...]string{"nothing", "the KVM clock", "the hypervisor", "CPUID", "the interval timer"}

func fixedMul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<32 | lo>>32
}

// nanotime is the time since the clock was started, in ns.
func nanotime() int64 { return int64(fixedMul(x86.ReadTSC()-clock.tsc, clock.mult)) }

// startClock finds the TSC's rate and begins time. It reports false if nothing
// tells the rate.
func startClock() bool {
	hz, source := tscRate()
	if hz == 0 {
		return false
	}
	clock.source = source
	clock.mult = 1e9 << 32 / hz
	clock.perNano, _ = bits.Div64(hz>>32, hz<<32, 1e9)
	clock.tsc = x86.ReadTSC()
	if clock.wall = kvmWall(); clock.wall == 0 {
		clock.wall = uint64(wallClock()) * 1e9
	}
	return true
}

func tscRate() (hz uint64, source clockSource) {
	if hz := kvmRate(); hz != 0 {
		return hz, clockKVM
	}
	if _, _, ecx, _ := x86.CPUID(1, 0); ecx>>31 != 0 {
		// VMware's timing leaf, which others have taken up: EAX is kHz.
		if max, _, _, _ := x86.CPUID(0x40000000, 0); max >= 0x40000010 && max < 0x40010000 {
			if khz, _, _, _ := x86.CPUID(0x40000010, 0); khz != 0 {
				return uint64(khz) * 1000, clockHypervisor
			}
		}
	}
	max, _, _, _ := x86.CPUID(0, 0)
	if max >= 0x15 {
		// TSC = crystal * EBX / EAX (SDM vol. 3, 19.7.3).
		if den, num, crystal, _ := x86.CPUID(0x15, 0); den != 0 && num != 0 && crystal != 0 {
			return uint64(crystal) * uint64(num) / uint64(den), clockCPUID
		}
	}
	if max >= 0x16 {
		if mhz, _, _, _ := x86.CPUID(0x16, 0); mhz&0xFFFF != 0 {
			return uint64(mhz&0xFFFF) * 1e6, clockCPUID
		}
	}
	return pitRate(), clockPIT
}

// pitRate measures the TSC against channel 0 of the 8254 interval timer, which
// counts down at 1193182 Hz. Channel 0 needs no gate, so this works also where
// port 0x61 does not exist (microvm). The interrupt that it would raise is
// masked.
func pitRate() uint64 {
	const (
		pitHz    = 1193182
		data     = 0x40
		command  = 0x43
		interval = 11932 // 10 ms
	)
	read := func() uint16 {
		x86.Out8(command, 0) // latch channel 0
		low := x86.In8(data)
		return uint16(low) | uint16(x86.In8(data))<<8
	}
	// A hypervisor may take the processor away between a count and its time
	// stamp, hence the median of three.
	var rates [3]uint64
	for i := range rates {
		x86.Out8(command, 0b00110000) // channel 0, both bytes, mode 0
		x86.Out8(data, 0xFF)
		x86.Out8(data, 0xFF)
		for n, before := 0, read(); read() == before; n++ {
			if n == 100000 {
				return 0 // it does not count
			}
		}
		first, t0 := read(), x86.ReadTSC()
		last, t1 := first, t0
		for n := 0; first-last < interval; n++ {
			last, t1 = read(), x86.ReadTSC()
			if n == 10000000 {
				return 0
			}
		}
		rates[i] = (t1 - t0) * pitHz / uint64(first-last)
	}
	a, b, c := rates[0], rates[1], rates[2]
	return max(min(a, b), min(max(a, b), c))
}
