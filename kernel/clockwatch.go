//go:build metal

package kernel

import (
	"sync/atomic"

	"nuos/boot"
	"nuos/boot/acpi"
	"nuos/kernel/internal/tsc"
	"nuos/kernel/internal/x86"
)

// When the time stamp counter cannot be believed. A processor that does not say that it is
// invariant has it compared with the HPET or the ACPI timer, twice a second; processors whose
// counters differ are found when they start. What follows is the same: from then on time goes
// by that other counter, which is a device, and slower to read. A machine without either has
// no choice.

// steadyClock is what time goes by when clock.steady is set.
var steadyClock struct {
	clock tsc.Steady
	there bool // clock can be used

	watch   tsc.Watch // of processor 0
	checkAt int64     // when it looks next; 0: never
	ahead   int64     // of the TSC's time, when they agreed last

	base atomic.Int64 // what is added to the clock's; 0: not known yet
}

const checkInterval = 5e8 // ns; less than half a round of any counter

// watchClock begins to watch the TSC, if that is needed.
func watchClock(tables *acpi.Tables, trusted bool, hz uint64) {
	other := askedForCounter()
	if trusted && !other {
		return
	}
	if !findSteady(tables) {
		if other {
			printString("nuos: there is neither HPET nor ACPI timer; time goes by the time stamp counter\n")
		}
		return
	}
	steadyClock.watch.Begin(&steadyClock.clock, hz)
	steadyClock.checkAt = nanotime() + checkInterval
	if other {
		leaveTSC()
	}
}

// askedForCounter reports whether the boot parameter clock= wants no TSC.
func askedForCounter() bool {
	for w := boot.Machine().Words(); w.Next(); {
		if w.Kind() == boot.Parameter && string(w.Text()) == "clock=counter" {
			return true
		}
	}
	return false
}

// findSteady makes the clock that needs no TSC, if there is a counter for it.
func findSteady(tables *acpi.Tables) bool {
	s := &steadyClock
	if !s.there && measured {
		if !moveReference(tables) {
			return false
		}
		s.there = s.clock.Follow(&reference)
		if s.there {
			s.ahead = nanotime() - int64(s.clock.Nanoseconds())
		}
	}
	return s.there
}

// checkClock is for processor 0 to call when the time has come.
func (c *cpu) checkClock(now int64) {
	s := &steadyClock
	s.checkAt = now + checkInterval
	counted := int64(s.clock.Nanoseconds()) // often enough for the clock to go on, too
	if atomic.LoadUint32(&clock.steady) != 0 {
		return
	}
	if !s.watch.Strays() {
		s.ahead = now - counted
		return
	}
	leaveTSC()
	printString("nuos: the time stamp counter does not run at its rate; time goes by ")
	printString(s.clock.Source().String())
	printString(" from now on\n")
}

// processorsDiffer is what follows when the TSC of a processor that has just started is not
// that of processor 0.
func processorsDiffer(tables *acpi.Tables) {
	if atomic.LoadUint32(&clock.steady) != 0 {
		return
	}
	printString("nuos: the time stamp counters of the processors differ; ")
	if !findSteady(tables) {
		printString("there is no other clock, and time may go back\n")
		return
	}
	leaveTSC()
	steadyClock.checkAt = nanotime() + checkInterval
	printString("time goes by ")
	printString(steadyClock.clock.Source().String())
	printString("\n")
}

// leaveTSC has time go by the steady clock. It goes on where it is right to, but never back:
// who has read the TSC has done so before the mark was set, and so before it is read here.
func leaveTSC() {
	s := &steadyClock
	atomic.StoreUint32(&clock.steady, 1)
	ahead := tscTime() - int64(s.clock.Nanoseconds())
	s.base.Store(max(s.ahead, ahead, 1))
}

// steadyTime is nanotime by the steady clock.
func steadyTime() int64 {
	base := steadyClock.base.Load()
	for ; base == 0; base = steadyClock.base.Load() {
		x86.Pause() // another processor is in leaveTSC
	}
	return base + int64(steadyClock.clock.Nanoseconds())
}

// currentClocksource is what Linux tells of its clock.
func (r *report) currentClocksource() {
	switch {
	case atomic.LoadUint32(&clock.steady) == 0:
		r.text("tsc\n")
	case steadyClock.clock.Source() == tsc.HPET:
		r.text("hpet\n")
	default:
		r.text("acpi_pm\n")
	}
}
