// Package tsc finds out how fast the time stamp counter runs.
//
// Known asks those who know: KVM's clock, a hypervisor, the processor. Else the rate is
// measured against a counter whose rate is a matter of standards (Counter): the HPET, ACPI's
// power management timer, the interval timer of the PC, or the local APIC's timer in QEMU's
// emulator. The measurement begins when the machine does and ends when the time is first
// needed, so that it costs next to nothing. Last of all comes what the processor is sold as
// (Nominal), which may be wrong by some tenths of a percent.
//
// A counter that is not said to be invariant is watched: Watch compares it with the HPET or
// the ACPI timer from time to time, and Meeting the counters of two processors when the second
// one starts. Steady is a clock that needs no TSC.
//
// All of it runs before the Go runtime, or in handlers: it allocates nothing.
package tsc
