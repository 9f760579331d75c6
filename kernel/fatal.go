//go:build metal

package kernel

import (
	"sync/atomic"

	"nuos/kernel/internal/apic"
	"nuos/kernel/internal/x86"
)

// Exceptions that hit anything, also code with interrupts off and the entry code itself:
// non-maskable interrupts, double faults and machine checks. Each has a stack of its own.
//
// A non-maskable interrupt from outside (a button, a hypervisor's command) asks what the
// machine is doing. All processors say it, and go on. A kernel panic stops the others
// by such interrupts too.

// showing is set while a processor that was asked from outside reports.
var showing atomic.Uint32

// handleFatal is entered by fatal<>. What it returns from goes on as if nothing had been.
func handleFatal(f *faultFrame) {
	c := thisCPU()
	f.mode, c.mode = c.mode, modeKernel
	switch f.vector {
	case trapDouble:
		kernelPanicAt("double fault", f, readCR2())
	case trapMachineCheck:
		kernelPanicAt("machine check", f, 0)
	}
	c.nonMaskable(f)
	c.mode = f.mode
}

func (c *cpu) nonMaskable(f *faultFrame) {
	if c.asked.Swap(0) != 0 {
		c.answer(f)
		return
	}
	if panicking.Load() != 0 || !showing.CompareAndSwap(0, 1) {
		return
	}
	askOthers()
	printString("\nnuos: non-maskable interrupt\n")
	c.report(f)
	reportOthers()
	printString("nuos: going on\n")
	showing.Store(0)
	// Those that are asked again must not be in their answer to this time.
	for i := range numCPUs {
		for cpus[i].stoppedAt.Load() != 0 && panicking.Load() == 0 {
			x86.Pause()
		}
	}
}

// answer holds the processor at f for as long as the one that asked for it reports.
func (c *cpu) answer(f *faultFrame) {
	c.stoppedAt.Store(f.address())
	for showing.Load() != 0 && panicking.Load() == 0 {
		x86.Pause()
	}
	if panicking.Load() != 0 {
		stopForever()
	}
	c.stoppedAt.Store(0)
}

// askOthers stops all other processors where they are and waits for them, within a
// bound, for one may be too broken to answer.
func askOthers() {
	self := thisCPU()
	for i := range numCPUs {
		if c := &cpus[i]; c != self && c.stoppedAt.Load() == 0 {
			c.asked.Store(1)
			local.Send(c.apic, apic.NMI)
		}
	}
	for i := range numCPUs {
		c := &cpus[i]
		for n := 0; c != self && c.stoppedAt.Load() == 0 && n < 1e6; n++ {
			x86.Pause()
		}
	}
}

// stopOthers stops all other processors for good.
func stopOthers() {
	panicking.Store(uint32(thisCPU().id) + 1)
	askOthers()
}

// reportOthers reports on the processors that answered.
func reportOthers() {
	for i := range numCPUs {
		c := &cpus[i]
		if c == thisCPU() {
			continue
		}
		if at := c.stoppedAt.Load(); at != 0 {
			c.report((*faultFrame)(pointer(at)))
			continue
		}
		printString("processor ")
		printInt(int64(i))
		printString(" does not answer\n")
	}
}
