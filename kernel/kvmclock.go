//go:build metal

package kernel

import "nuos/kernel/internal/x86"

// KVM's paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst): the scale
// of the TSC, exactly, and the time of day on machines that have no CMOS clock.

const (
	msrWallClock  = 0x4B564D00
	msrSystemTime = 0x4B564D01
)

// pvclock is struct pvclock_vcpu_time_info, which KVM fills in.
type pvclock struct {
	version   uint32
	_         uint32
	tsc, time uint64
	mult      uint32
	shift     int8
	flags     uint8
	_         [2]uint8
}

// nanos converts TSC ticks.
func (p *pvclock) nanos(ticks uint64) uint64 {
	if p.shift >= 0 {
		ticks <<= uint(p.shift)
	} else {
		ticks >>= uint(-p.shift)
	}
	return fixedMul(ticks, uint64(p.mult))
}

// readKVM asks for the system time, which counts from the start of the machine.
// It reports false if there is no KVM, or one without this clock.
func readKVM() (p pvclock, ok bool) {
	_, b, c, d := x86.CPUID(0x40000000, 0)
	if b != 0x4B4D564B || c != 0x564B4D56 || d != 0x4D { // "KVMKVMKVM"
		return p, false
	}
	if features, _, _, _ := x86.CPUID(0x40000001, 0); features>>3&1 == 0 {
		return p, false
	}
	page, ok := allocFrames(0)
	if !ok {
		return p, false
	}
	x86.WriteMSR(msrSystemTime, uint64(physical(page))|1) // filled in before the next instruction
	p = *(*pvclock)(pointer(page))
	x86.WriteMSR(msrSystemTime, 0)
	freeFrames(page)
	return p, p.mult != 0
}

// kvmRate is the TSC's rate as KVM has it, 0 without it.
func kvmRate() uint64 {
	p, ok := readKVM()
	if !ok {
		return 0
	}
	hz := uint64(1e9<<32) / uint64(p.mult)
	if p.shift >= 0 {
		return hz >> uint(p.shift)
	}
	return hz << uint(-p.shift)
}

// kvmWall is the time of day in ns since 1970, 0 without KVM: what it was when
// the system time began, and the system time.
func kvmWall() uint64 {
	p, ok := readKVM()
	if !ok {
		return 0
	}
	page, ok := allocFrames(0)
	if !ok {
		return 0
	}
	x86.WriteMSR(msrWallClock, uint64(physical(page)))
	wall := *(*[3]uint32)(pointer(page)) // version, seconds, nanoseconds
	freeFrames(page)
	if wall[1] == 0 {
		return 0
	}
	return uint64(wall[1])*1e9 + uint64(wall[2]) + p.time + p.nanos(x86.ReadTSC()-p.tsc)
}
