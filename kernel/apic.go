//go:build metal

package kernel

import (
	"sync/atomic"

	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// The local APIC, in x2APIC mode (MSRs) where there is one and otherwise in
// xAPIC mode (registers in memory): SDM vol. 3, chapter 11.

const (
	msrAPICBase    = 0x1B
	msrTSCDeadline = 0x6E0
	msrX2APIC      = 0x800

	apicID       = 0x20
	apicTPR      = 0x80
	apicEOI      = 0xB0
	apicSpurious = 0xF0
	apicICR      = 0x300
	apicTimer    = 0x320
	apicLINT0    = 0x350
	apicLINT1    = 0x360
	apicError    = 0x370
	apicInitial  = 0x380
	apicCurrent  = 0x390
	apicDivide   = 0x3E0

	apicMasked      = 1 << 16
	apicTSCDeadline = 2 << 17
	apicDeliverNMI  = 4 << 8
	apicInit        = 5 << 8
	apicStartUp     = 6 << 8
	apicAssert      = 1 << 14
	apicPending     = 1 << 12
)

var apic struct {
	x2          bool
	tscDeadline bool
	base        uintptr // of the registers in xAPIC mode
	mult        uint64  // timer ticks per nanosecond, 32.32 fixed point
}

// findAPIC decides how the local APIC is spoken to, and from then on it can be.
func findAPIC() bool {
	_, _, ecx, _ := x86.CPUID(1, 0)
	apic.x2 = ecx>>21&1 != 0
	apic.tscDeadline = ecx>>24&1 != 0
	if apic.x2 {
		setAPICMode()
		return true
	}
	base := x86.ReadMSR(msrAPICBase) & 0xF_FFFF_F000
	const mapDevice = 1 << 41
	v, e := space().Mmap(mm.Virt(base), 4096, mm.ProtRead|mm.ProtWrite, mapDevice)
	apic.base = uintptr(v)
	return e == 0
}

func apicRead(reg uint32) uint32 {
	if apic.x2 {
		return uint32(x86.ReadMSR(msrX2APIC + reg>>4))
	}
	return atomic.LoadUint32((*uint32)(pointer(apic.base + uintptr(reg))))
}

func apicWrite(reg, v uint32) {
	if apic.x2 {
		x86.WriteMSR(msrX2APIC+reg>>4, uint64(v))
		return
	}
	atomic.StoreUint32((*uint32)(pointer(apic.base+uintptr(reg))), v)
}

// ownAPIC is the identity of the processor's local APIC.
func ownAPIC() uint32 {
	if apic.x2 {
		return uint32(x86.ReadMSR(msrX2APIC + apicID>>4))
	}
	return apicRead(apicID) >> 24
}

// setAPICMode switches the processor's local APIC on, in the mode that is used.
func setAPICMode() {
	v := x86.ReadMSR(msrAPICBase) | 1<<11
	if apic.x2 {
		v |= 1 << 10
	}
	x86.WriteMSR(msrAPICBase, v)
}

// enableAPIC turns the local APIC on, all its sources masked but the timer and, on the
// first processor, the wire of non-maskable interrupts, which is LINT1 on all PCs.
func (c *cpu) enableAPIC() {
	setAPICMode()
	apicWrite(apicSpurious, 1<<8|vecSpurious)
	apicWrite(apicTPR, 0)
	apicWrite(apicLINT0, apicMasked)
	lint1 := uint32(apicMasked)
	if c.id == 0 {
		lint1 = apicDeliverNMI
	}
	apicWrite(apicLINT1, lint1)
	apicWrite(apicError, apicMasked)
	apicWrite(apicDivide, 0b1011) // by 1
	if apic.tscDeadline {
		apicWrite(apicTimer, apicTSCDeadline|vecTimer)
	} else {
		apicWrite(apicTimer, vecTimer)
	}
	apicWrite(apicEOI, 0)
}

func (c *cpu) endOfInterrupt() { apicWrite(apicEOI, 0) }

// sendIPI writes the interrupt command register for one destination.
func sendIPI(dest, command uint32) {
	if apic.x2 {
		x86.WriteMSR(msrX2APIC+apicICR>>4, uint64(dest)<<32|uint64(command))
		return
	}
	for apicRead(apicICR)&apicPending != 0 {
		x86.Pause()
	}
	apicWrite(apicICR+0x10, dest<<24)
	apicWrite(apicICR, command)
	for apicRead(apicICR)&apicPending != 0 {
		x86.Pause()
	}
}

// interrupt sends a vector to the processor.
func (c *cpu) interrupt(vector uint32) {
	self := thisCPU()
	self.record(eventIPI, self.currentTID(), uint16(vector), uint64(c.id), 0)
	sendIPI(c.apic, vector|apicAssert)
}

// setTimer makes the processor's timer interrupt once at time at.
func setTimer(at int64) {
	d := max(at-nanotime(), 1)
	if apic.tscDeadline {
		x86.WriteMSR(msrTSCDeadline, x86.ReadTSC()+fixedMul(uint64(d), clock.perNano))
		return
	}
	ticks := uint64(1<<32 - 1)
	if d < 1e10 {
		ticks = min(fixedMul(uint64(d), apic.mult)+1, ticks)
	}
	apicWrite(apicInitial, uint32(ticks))
}

// calibrateTimer finds the rate of the local APIC's timer by the clock.
func calibrateTimer() {
	if apic.tscDeadline {
		return
	}
	apicWrite(apicTimer, apicMasked|vecTimer)
	apicWrite(apicInitial, 1<<32-1)
	start := nanotime()
	for nanotime()-start < 1e6 {
		x86.Pause()
	}
	ticks := 1<<32 - 1 - uint64(apicRead(apicCurrent))
	ns := uint64(nanotime() - start)
	apic.mult = ticks << 32 / ns
	apicWrite(apicInitial, 0)
	apicWrite(apicTimer, vecTimer)
}
