//go:build metal

package kernel

import (
	"nuos/kernel/internal/apic"
	"nuos/kernel/internal/tsc"
	"nuos/mm"
)

// The interrupt controllers: each processor's local APIC, which is all that is used.
// Interrupts of devices are messages to one.

var local apic.Local

// startAPIC makes it possible to speak to the local APICs.
func startAPIC() bool {
	registers := local.Find()
	if registers == 0 {
		return true
	}
	base, ok := mapDevice(registers)
	local.Map(base)
	return ok
}

// mapDevice makes a page of a device's registers visible.
func mapDevice(p uint64) (uintptr, bool) {
	const device = 1 << 41
	v, e := space().Mmap(mm.Virt(p), mm.PageSize, mm.ProtRead|mm.ProtWrite, device)
	return uintptr(v), e == 0
}

// startTimer finds out how fast the timer of the local APICs counts.
func startTimer() {
	if local.UsesTSC() {
		local.SetRate(clock.perNano)
		return
	}
	if hz := tsc.APICRate(); hz != 0 {
		local.SetRate(perNano(hz))
		return
	}
	const interval = 1e6
	local.StartCount()
	start := nanotime()
	for nanotime()-start < interval {
		relax()
	}
	ticks, ns := uint64(local.Count()), uint64(nanotime()-start)
	local.StopCount(vecTimer)
	local.SetRate(ticks << 32 / ns)
}

// interrupt sends a vector to the processor.
func (c *cpu) interrupt(vector uint32) {
	self := thisCPU()
	self.record(eventIPI, self.currentTID(), uint16(vector), uint64(c.id), 0)
	local.Send(c.apic, vector)
}

// setTimer makes the processor's timer interrupt once, at time at.
func setTimer(at int64) { local.SetTimer(uint64(max(at-nanotime(), 1))) }
