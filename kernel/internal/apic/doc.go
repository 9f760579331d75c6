// Package apic drives the local APIC of the processor it runs on: interrupts between
// processors, their end, and the timer (SDM vol. 3, chapter 11).
//
// There are two modes with the same registers. In x2APIC mode, which is used where it
// exists, they are model-specific registers; in xAPIC mode they lie in memory, and
// identities have eight bits. The timer takes a deadline of the time stamp counter where
// it can, or else counts down.
//
// Local says what all processors have in common and does not change once threads run.
// Its methods may be used in any context, and concern the processor that calls them.
package apic
