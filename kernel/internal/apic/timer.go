package apic

import (
	"math/bits"

	"nuos/kernel/internal/x86"
)

const (
	msrDeadline  = 0x6E0
	modeDeadline = 2 << 17 // in regTimer
	divideByOne  = 0b1011  // in regDivide
	most         = 1<<32 - 1
)

func (l *Local) enableTimer(vector uint32) {
	l.write(regDivide, divideByOne)
	if l.deadline {
		l.write(regTimer, modeDeadline|vector)
	} else {
		l.write(regTimer, vector)
	}
}

// UsesTSC reports whether the timer counts what the time stamp counter does.
func (l *Local) UsesTSC() bool { return l.deadline }

// SetRate says how much the timer counts in a nanosecond, as a 32.32 fixed-point number: of
// the time stamp counter if it uses that, of its own ticks otherwise.
func (l *Local) SetRate(perNano uint64) { l.perNano = perNano }

// SetTimer makes the timer interrupt once, ns nanoseconds from now, or before that if it
// cannot wait for so long. What it was set to before is forgotten.
func (l *Local) SetTimer(ns uint64) {
	hi, lo := bits.Mul64(ns, l.perNano)
	ticks := hi<<32 | lo>>32
	if hi>>32 != 0 {
		ticks = 1<<63 - 1
	}
	if l.deadline {
		x86.WriteMSR(msrDeadline, x86.ReadTSC()+ticks)
		return
	}
	l.write(regInitial, uint32(min(ticks+1, most))) // zero would be never
}

// StartCount has the timer count, without an interrupt, for those who want to measure its
// rate, or by it. It must not use the time stamp counter.
func (l *Local) StartCount() {
	l.write(regTimer, masked)
	l.write(regInitial, most)
}

// Count is how many ticks have passed since StartCount.
func (l *Local) Count() uint32 { return most - l.read(regCurrent) }

// StopCount makes the timer one that interrupts again.
func (l *Local) StopCount(vector uint32) {
	l.write(regInitial, 0)
	l.enableTimer(vector)
}
