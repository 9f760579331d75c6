//go:build metal

package kernel

import (
	"math/bits"
	"sync/atomic"

	"nuos/boot"
	"nuos/boot/acpi"
	"nuos/kernel/internal/tsc"
	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// The clock is the time stamp counter, scaled. Package tsc finds its rate; clockwatch.go has
// what there is when the counter is not to be believed.

// clockState is read by vdsoClockGettime. It does not change once threads run,
// except for wall, by which real time is ahead of time since boot, and steady.
type clockState struct {
	tsc     uint64 // at time 0
	mult    uint64 // ns per TSC tick, 32.32 fixed point
	wall    uint64 // ns
	perNano uint64 // TSC ticks per ns, 32.32 fixed point
	steady  uint32 // 1: time goes by steadyClock, and the TSC is not used
}

var (
	clock clockState

	clockSource tsc.Source  // who told the rate
	reference   tsc.Counter // by which it is measured while the machine starts,
	measured    bool        // if there is one
)

// ClockSource names what told the rate of the clock. Any context.
func ClockSource() string { return clockSource.String() }

func fixedMul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<32 | lo>>32
}

// perNano is a rate in ticks per nanosecond, 32.32 fixed point.
func perNano(hz uint64) uint64 {
	r, _ := bits.Div64(hz>>32, hz<<32, 1e9)
	return r
}

// nanotime is the time since the clock was started, in ns.
func nanotime() int64 {
	t := tscTime()
	if atomic.LoadUint32(&clock.steady) != 0 {
		return steadyTime()
	}
	return t
}

// tscTime is the time by the TSC.
func tscTime() int64 { return int64(fixedMul(x86.ReadTSC()-clock.tsc, clock.mult)) }

// beginClock begins to measure the rate of the TSC. What is done until startClock gives
// the measurement the time that it needs.
// Precondition: the address space is that of the entry code.
func beginClock(tables *acpi.Tables) {
	h := tsc.Hardware{PMTimer: tables.PMTimer, PMTimer32: tables.PMTimer32}
	if p := tables.HPET; p != 0 && p < boot.EarlyMapped {
		h.HPET = uintptr(mm.DirectArea.Base) + uintptr(p)
	}
	measured = reference.Start(h)
}

// startClock begins time. It reports false if nothing tells the TSC's rate.
func startClock(tables *acpi.Tables) bool {
	page, ok := allocFrames(0)
	if !ok {
		return false
	}
	var rate tsc.Rate
	kvm, haveKVM := tsc.ReadKVM(page, uint64(physical(page)))
	if haveKVM {
		rate = kvm.Rate()
	} else {
		rate = tscRate(tables)
	}
	if rate.Hz == 0 {
		return false
	}
	clockSource = rate.Source
	clock.mult = 1e9 << 32 / rate.Hz
	clock.perNano = perNano(rate.Hz)
	clock.tsc = x86.ReadTSC()
	watchClock(tables, tsc.Invariant() || haveKVM && kvm.Stable(), rate.Hz)
	if haveKVM {
		clock.wall = kvm.Wall()
	}
	if clock.wall == 0 {
		clock.wall = uint64(wallClock()) * 1e9
	}
	freeFrames(page)
	if clock.wall == 0 {
		printString("nuos: the machine has no clock with the date: it is 1970\n")
	}
	return true
}

// tscRate is the rate as who knows it best says it, or as it is measured.
func tscRate(tables *acpi.Tables) tsc.Rate {
	rate := tsc.Known()
	if rate.Hz != 0 {
		return rate
	}
	if measured {
		measured = moveReference(tables)
	}
	if !measured && tsc.Emulated() {
		if reference.StartEmulated(local) {
			rate = reference.Rate()
		}
		local.StopCount(vecTimer)
	}
	if measured {
		rate = reference.Rate()
	}
	if rate.Hz == 0 {
		rate = tsc.Nominal()
	}
	return rate
}

// moveReference has the reference, if it is the HPET, be read where mm shows it.
func moveReference(tables *acpi.Tables) bool {
	if !reference.UsesHPET() || movedReference {
		return true
	}
	base, ok := mapDevice(tables.HPET)
	reference.Move(base)
	movedReference = ok
	return ok
}

var movedReference bool
