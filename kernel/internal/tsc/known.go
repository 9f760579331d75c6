package tsc

import "nuos/kernel/internal/x86"

// Source is who told the rate.
type Source uint8

const (
	None Source = iota
	KVMClock
	Hypervisor
	Crystal
	HPET
	PMTimer
	IntervalTimer
	EmulatedAPIC
	BaseFrequency
)

// String names the source for people.
func (s Source) String() string {
	return [...]string{"nothing", "the KVM clock", "the hypervisor", "CPUID's crystal", "the HPET", "the ACPI timer",
		"the interval timer", "the emulator's APIC", "CPUID's base frequency"}[s]
}

// Rate is how many ticks the counter makes in a second, zero if nobody said.
type Rate struct {
	Hz     uint64
	Source Source
}

const (
	leafMost       = 0
	leafFeatures   = 1
	leafCrystal    = 0x15
	leafFrequency  = 0x16
	leafHypervisor = 0x40000000
	leafTiming     = 0x40000010

	inHypervisor = 1 << 31 // in ECX of leafFeatures
)

// Known returns the rate as a hypervisor or the processor knows it.
func Known() Rate {
	if khz, _ := timing(); khz != 0 {
		return Rate{uint64(khz) * 1000, Hypervisor}
	}
	// TSC = crystal * EBX / EAX (SDM vol. 3, 19.7.3).
	if crystal, numerator, denominator := crystal(); crystal != 0 && numerator != 0 && denominator != 0 {
		return Rate{uint64(crystal) * uint64(numerator) / uint64(denominator), Crystal}
	}
	return Rate{}
}

// Nominal returns the frequency that the processor was made for.
func Nominal() Rate {
	if most, _, _, _ := x86.CPUID(leafMost, 0); most >= leafFrequency {
		if mhz, _, _, _ := x86.CPUID(leafFrequency, 0); mhz&0xFFFF != 0 {
			return Rate{uint64(mhz&0xFFFF) * 1e6, BaseFrequency}
		}
	}
	return Rate{}
}

// APICRate is the rate of the local APIC's timer, undivided, if it is known: a
// hypervisor says it, it is the processor's crystal (SDM vol. 3, 11.5.4), or it is what
// QEMU's emulator has.
func APICRate() (hz uint64) {
	if _, khz := timing(); khz != 0 {
		return uint64(khz) * 1000
	}
	if crystal, _, _ := crystal(); crystal != 0 {
		return uint64(crystal)
	}
	if Emulated() {
		return emulatedAPICHz
	}
	return 0
}

// Emulated reports whether the machine is QEMU's emulator, in which a tick of the local
// APIC's timer is a nanosecond.
func Emulated() bool {
	most, b, c, d := hypervisor()
	return most != 0 && b == 0x54474354 && c == 0x43544743 && d == 0x47435447 // "TCGTCGTCGTCG"
}

const emulatedAPICHz = 1e9

// hypervisor returns the last leaf that the hypervisor has, and its name; zero if there is none.
func hypervisor() (most, b, c, d uint32) {
	if _, _, features, _ := x86.CPUID(leafFeatures, 0); features&inHypervisor == 0 {
		return 0, 0, 0, 0
	}
	return x86.CPUID(leafHypervisor, 0)
}

// timing reads VMware's leaf of frequencies, which others have taken up: that of the TSC and
// that of the APIC's timer.
func timing() (khz, apic uint32) {
	if most, _, _, _ := hypervisor(); most < leafTiming || most >= leafHypervisor+0x10000 {
		return 0, 0
	}
	khz, apic, _, _ = x86.CPUID(leafTiming, 0)
	return khz, apic
}

func crystal() (hz, numerator, denominator uint32) {
	if most, _, _, _ := x86.CPUID(leafMost, 0); most < leafCrystal {
		return 0, 0, 0
	}
	denominator, numerator, hz, _ = x86.CPUID(leafCrystal, 0)
	return hz, numerator, denominator
}
