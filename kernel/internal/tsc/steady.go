package tsc

import (
	"math/bits"
	"sync/atomic"

	"nuos/kernel/internal/x86"
)

// Invariant reports whether the processor says that its time stamp counter runs at one rate
// in all states of power and speed (SDM vol. 3, 19.17.1: CPUID 8000_0007, EDX bit 8). Without
// that it may run so all the same, as in most virtual machines.
func Invariant() bool {
	const leafMostExtended, leafPower, invariant = 0x80000000, 0x80000007, 1 << 8
	if most, _, _, _ := x86.CPUID(leafMostExtended, 0); most < leafPower {
		return false
	}
	_, _, _, d := x86.CPUID(leafPower, 0)
	return d&invariant != 0
}

// Steady is a clock that goes by the HPET or the ACPI timer, whatever the processors do. Its
// methods but Follow may be used on all processors at a time.
type Steady struct {
	counter Counter
	first   uint64
	count   atomic.Uint64 // ticks as far as anybody has seen them; its low bits are the counter's
}

// Follow begins with what a measurement goes by. It reports false, and the clock must not be
// used, if that does not count on for ever.
func (s *Steady) Follow(c *Counter) bool {
	if c.source != HPET && c.source != PMTimer {
		return false
	}
	s.counter = *c
	now, _ := s.counter.read()
	s.first = uint64(now)
	s.count.Store(s.first)
	return true
}

// Source is the counter that the clock goes by.
func (s *Steady) Source() Source { return s.counter.source }

// Nanoseconds is the time since Follow. It never goes back, as long as somebody looks in
// every half round of the counter, which takes two seconds at least.
func (s *Steady) Nanoseconds() uint64 {
	hi, lo := bits.Mul64(s.ticks()-s.first, s.counter.period)
	ns, _ := bits.Div64(hi, lo, 1e6)
	return ns
}

func (s *Steady) ticks() uint64 {
	for {
		seen := s.count.Load()
		now, _ := s.counter.read()
		more := (now - uint32(seen)) & s.counter.mask
		if more > s.counter.mask/2 {
			return seen // another processor has read the counter later, and was quicker
		}
		if more == 0 || s.count.CompareAndSwap(seen, seen+uint64(more)) {
			return seen + uint64(more)
		}
	}
}

// Watch compares the time stamp counter with a steady clock's counter from time to time.
type Watch struct {
	counter Counter
	hz      uint64 // of the TSC
	last    sample
}

// Begin takes the first sample. The TSC is believed to have the rate hz.
func (w *Watch) Begin(s *Steady, hz uint64) {
	w.counter, w.hz = s.counter, hz
	w.last = w.counter.sample()
}

// Strays reports whether the TSC's rate was another one since the last call, by more than a
// hundredth. How late it is called does not matter, but for a counter that has come round as
// often as makes up for what the TSC is wrong.
func (w *Watch) Strays() bool {
	now := w.counter.sample()
	before := w.last
	w.last = now
	hi, lo := bits.Mul64(now.tsc-before.tsc, femto)
	if hi >= w.hz {
		return true // hours, within one interval between two calls
	}
	elapsed, _ := bits.Div64(hi, lo, w.hz)
	want := elapsed / w.counter.period
	counted := now.count - before.count
	// In the ring of the counter's values, the shorter way around.
	astray := (uint32(want) - counted) & w.counter.mask
	astray = min(astray, (counted-uint32(want))&w.counter.mask)
	// A processor may have been taken away between the two readings of a sample.
	unsure := (now.took + before.took) * (femto / w.hz) / w.counter.period
	return uint64(astray) > want/100+unsure+2
}
