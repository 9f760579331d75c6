package tsc

import (
	"math/bits"

	"nuos/kernel/internal/apic"
	"nuos/kernel/internal/x86"
)

// Counter is a counter of known rate that a measurement goes by.
type Counter struct {
	source Source
	period uint64  // of a tick, femtoseconds
	mask   uint32  // bits that count
	base   uintptr // of the HPET's registers
	port   uint16  // of the ACPI timer
	local  apic.Local
	first  sample
}

// sample is a value of a counter and of the TSC at the same moment.
type sample struct {
	tsc   uint64
	took  uint64 // ticks of the TSC between the readings, by which the moment is uncertain
	count uint32
	ok    bool
}

// Hardware says where counters may be.
type Hardware struct {
	HPET      uintptr // its registers, which Move can change; 0: none
	PMTimer   uint16  // I/O port; 0: none
	PMTimer32 bool    // it counts with 32 bits, not 24
}

const (
	hpetPeriod  = 0x04 // IA-PC HPET specification 1.0a, 2.3.4: upper half of the capabilities
	hpetEnable  = 0x10 // 2.3.5
	hpetCounter = 0xF0 // 2.3.7

	longestPeriod = 100e6 // fs, of an HPET's tick

	femto         = uint64(1e15)
	pmTimerHz     = 3579545
	pitHz         = 1193182
	leastInterval = 2e12 // fs: what a measurement takes at least
)

// Start begins to measure against the best counter that there is and that counts. It
// reports false if there is none.
func (c *Counter) Start(h Hardware) bool {
	if h.HPET != 0 {
		if period := x86.Load32(h.HPET + hpetPeriod); period != 0 && period <= longestPeriod {
			*c = Counter{source: HPET, period: uint64(period), mask: 1<<32 - 1, base: h.HPET}
			x86.Store32(h.HPET+hpetEnable, x86.Load32(h.HPET+hpetEnable)|1)
			if c.begin() {
				return true
			}
		}
	}
	if h.PMTimer != 0 {
		*c = Counter{source: PMTimer, period: femto / pmTimerHz, mask: 1<<24 - 1, port: h.PMTimer}
		if h.PMTimer32 {
			c.mask = 1<<32 - 1
		}
		if c.begin() {
			return true
		}
	}
	*c = Counter{source: IntervalTimer, period: femto / pitHz, mask: 1<<16 - 1}
	return c.begin()
}

// StartEmulated begins to measure against the local APIC's timer, which must have been
// enabled and is stopped by nobody else meanwhile.
// Precondition: Emulated.
func (c *Counter) StartEmulated(l apic.Local) bool {
	*c = Counter{source: EmulatedAPIC, period: femto / emulatedAPICHz, mask: 1<<32 - 1, local: l}
	return c.begin()
}

// Move says where the HPET's registers are now; nothing if they are not needed.
func (c *Counter) Move(base uintptr) { c.base = base }

// UsesHPET reports whether the measurement goes by the HPET.
func (c *Counter) UsesHPET() bool { return c.source == HPET }

// Rate ends the measurement, after two milliseconds at least since its start.
func (c *Counter) Rate() Rate {
	// A processor that a hypervisor or an emulator takes away for so long that a
	// counter has come round measures nonsense. So it does it again, at once.
	const slowest, fastest = 50e6, 50e9
	for range 5 {
		last := c.first
		for n := 0; last.ok && c.elapsed(last) < leastInterval; n++ {
			if n == 1e6 {
				return Rate{}
			}
			last = c.sample()
		}
		if last.ok {
			hi, lo := bits.Mul64(last.tsc-c.first.tsc, femto)
			if elapsed := c.elapsed(last); hi < elapsed {
				if hz, _ := bits.Div64(hi, lo, elapsed); hz > slowest && hz < fastest {
					return Rate{hz, c.source}
				}
			}
		}
		if !c.begin() {
			break
		}
	}
	return Rate{}
}

// elapsed is the time since the first sample, in femtoseconds.
func (c *Counter) elapsed(s sample) uint64 {
	return uint64((s.count-c.first.count)&c.mask) * c.period
}

// begin starts the counter and takes the first sample. It reports whether it counts.
func (c *Counter) begin() bool {
	switch c.source {
	case IntervalTimer:
		startPIT()
	case EmulatedAPIC:
		c.local.StartCount()
	}
	before, ok := c.read()
	for n := 0; ok; n++ {
		now, more := c.read()
		if more && now != before {
			break
		}
		ok = more && n < 1000
	}
	if ok {
		c.first = c.sample()
	}
	return ok && c.first.ok
}

// sample reads the counter between two looks at the TSC that are close to each other.
func (c *Counter) sample() (best sample) {
	least := ^uint64(0)
	for range 5 {
		before := x86.ReadTSC()
		count, ok := c.read()
		took := x86.ReadTSC() - before
		if !ok {
			return sample{}
		}
		if took < least {
			least = took
			best = sample{before + took/2, took, count, true}
		}
	}
	return best
}

// read returns the counter's value, upwards; false if it does not count any more.
func (c *Counter) read() (uint32, bool) {
	switch c.source {
	case HPET:
		return x86.Load32(c.base + hpetCounter), true
	case PMTimer:
		return x86.In32(c.port) & c.mask, true
	case EmulatedAPIC:
		return c.local.Count(), true
	}
	return readPIT()
}
