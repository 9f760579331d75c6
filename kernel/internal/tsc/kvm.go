package tsc

import (
	"math/bits"
	"unsafe"

	"nuos/kernel/internal/x86"
)

// KVM's paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst): the scale of the
// TSC, exactly, and the time of day on machines that have no CMOS clock.

const (
	msrWallClock  = 0x4B564D00
	msrSystemTime = 0x4B564D01
)

// KVM is the clock as it was when it was read.
type KVM struct {
	page uintptr // memory that KVM fills in
	phys uint64
	time systemTime
}

// systemTime is struct pvclock_vcpu_time_info. The time counts from the start of the
// machine.
type systemTime struct {
	version   uint32
	_         uint32
	tsc, time uint64
	mult      uint32
	shift     int8
	flags     uint8
	_         [2]uint8
}

// ReadKVM asks for the clock; page is memory of a page, at the physical address phys, which
// is free again when the clock has been read. It reports false if there is no KVM, or one
// without this clock.
func ReadKVM(page uintptr, phys uint64) (k KVM, ok bool) {
	most, b, c, d := hypervisor()
	if most == 0 || b != 0x4B4D564B || c != 0x564B4D56 || d != 0x4D { // "KVMKVMKVM"
		return k, false
	}
	if features, _, _, _ := x86.CPUID(leafHypervisor+1, 0); features>>3&1 == 0 {
		return k, false
	}
	x86.WriteMSR(msrSystemTime, phys|1) // filled in before the next instruction
	k = KVM{page, phys, *(*systemTime)(memory(page))}
	x86.WriteMSR(msrSystemTime, 0)
	return k, k.time.mult != 0
}

// Rate is that of the TSC.
func (k *KVM) Rate() Rate {
	hz := uint64(1e9<<32) / uint64(k.time.mult)
	if k.time.shift >= 0 {
		hz >>= uint(k.time.shift)
	} else {
		hz <<= uint(-k.time.shift)
	}
	return Rate{hz, KVMClock}
}

// Stable reports whether KVM says that the TSC runs at this rate, together on all processors.
func (k *KVM) Stable() bool { return k.time.flags&1 != 0 }

// Wall is the time of day in nanoseconds since 1970: what it was when the system time began,
// and the system time. It is zero if KVM does not say.
func (k *KVM) Wall() uint64 {
	x86.WriteMSR(msrWallClock, k.phys)
	wall := *(*[3]uint32)(memory(k.page)) // version, seconds, nanoseconds
	if wall[1] == 0 {
		return 0
	}
	ticks := x86.ReadTSC() - k.time.tsc
	if k.time.shift >= 0 {
		ticks <<= uint(k.time.shift)
	} else {
		ticks >>= uint(-k.time.shift)
	}
	hi, lo := bits.Mul64(ticks, uint64(k.time.mult))
	return uint64(wall[1])*1e9 + uint64(wall[2]) + k.time.time + (hi<<32 | lo>>32)
}

// memory makes a pointer of an address outside of Go's heap, in which the collector has no
// interest.
func memory(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }
