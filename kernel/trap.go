//go:build metal

package kernel

import (
	"syscall"

	"nuos/mm"
)

// Traps: interrupts and faults. Vectors 0 to 31 are the processor's (SDM
// vol. 3, 6.15); those of devices are handed out by msi.go.
const (
	trapDivide       = 0
	trapDebug        = 1
	trapNMI          = 2
	trapBreakpoint   = 3
	trapOverflow     = 4
	trapInvalid      = 6
	trapDouble       = 8
	trapStack        = 12
	trapProtection   = 13
	trapPage         = 14
	trapX87          = 16
	trapAlignment    = 17
	trapMachineCheck = 18
	trapSIMD         = 19

	vecFirstMSI = 0x30
	vecLastMSI  = 0xEF
	vecTimer    = 0xF0
	vecResched  = 0xF1
	vecFlush    = 0xF2
	vecSpurious = 0xFF

	flagsIF = 1 << 9
)

// handleTrap is entered by trap<> for whatever interrupts the program.
func handleTrap(t *thread, vector, code uint64) *thread {
	c := thisCPU()
	if vector == trapPage {
		addr := readCR2()
		if space().Fault(mm.Virt(addr), code) || liftGuard(t, mm.Virt(addr)) {
			c.record(eventFault, t.tid, uint16(code), addr, t.ip)
			return t
		}
		if t.overflows(mm.Virt(addr)) {
			stackOverflow(t, addr)
		}
		lock()
		switch fileFault(addr, code) {
		case brought:
			c.record(eventFault, t.tid, uint16(code), addr, t.ip)
			unlock()
			return t
		case behindFile:
			const busAddress = 2
			c.fault(t, int32(syscall.SIGBUS), busAddress, addr, vector, code)
			unlock()
			return c.leave()
		case noMemory:
			outOfMemory(t)
		}
		if ranOut() {
			outOfMemory(t)
		}
		unlock()
		c.fault(t, int32(syscall.SIGSEGV), segvCode(code), addr, vector, code)
		return c.leave()
	}
	if vector == vecFlush {
		c.record(eventFlush, t.tid, 0, 0, 0)
		answerFlush()
		local.EndOfInterrupt()
		return t
	}
	if vector >= 32 {
		c.interrupted(int32(vector))
		if vector == vecTimer {
			c.tick(t)
		}
	} else {
		c.exception(t, vector, code)
	}
	return c.leave()
}

// exception turns a trap of the program into the signal that Linux sends.
func (c *cpu) exception(t *thread, vector, code uint64) {
	const (
		siKernel   = 0x80
		fpeIntDiv  = 1
		fpeFltInv  = 7
		illOpcode  = 2
		trapBrkpt  = 1
		trapTrace  = 2
		busAlign   = 1
		segvMapped = 1
	)
	switch vector {
	case trapDivide:
		c.fault(t, int32(syscall.SIGFPE), fpeIntDiv, t.ip, vector, code)
	case trapX87, trapSIMD:
		c.fault(t, int32(syscall.SIGFPE), fpeFltInv, t.ip, vector, code)
	case trapInvalid:
		c.fault(t, int32(syscall.SIGILL), illOpcode, t.ip, vector, code)
	case trapBreakpoint:
		c.fault(t, int32(syscall.SIGTRAP), siKernel, 0, vector, code)
	case trapDebug:
		c.fault(t, int32(syscall.SIGTRAP), trapTrace, t.ip, vector, code)
	case trapAlignment:
		c.fault(t, int32(syscall.SIGBUS), busAlign, 0, vector, code)
	default:
		// A non-canonical address among others; Linux gives no address.
		c.fault(t, int32(syscall.SIGSEGV), siKernel, 0, vector, code)
	}
}

func segvCode(code uint64) int32 {
	const segvMapErr, segvAccErr = 1, 2
	if code&1 != 0 {
		return segvAccErr
	}
	return segvMapErr
}

// interrupted handles the interrupt of vector v, which hit the program or ended
// a halt.
// Precondition: no lock is held.
func (c *cpu) interrupted(v int32) {
	tid := c.currentTID()
	switch {
	case v == vecTimer:
		c.record(eventTimer, tid, 0, 0, 0)
		c.armed = 0
		c.runTimers(nanotime())
	case v == vecResched:
		c.record(eventKick, tid, 0, 0, 0)
	case v == vecFlush:
		c.record(eventFlush, tid, 0, 0, 0)
		answerFlush()
	case v >= vecFirstMSI && v <= vecLastMSI:
		c.record(eventDevice, tid, uint16(v), 0, 0)
		lock()
		deviceInterrupt(v)
		unlock()
	case v == vecSpurious:
		return // has no end
	}
	local.EndOfInterrupt()
}

// tick is what a timer interrupt means for the thread that it hit.
func (c *cpu) tick(t *thread) {
	now := nanotime()
	c.account(t, now)
	if now >= c.sliceEnd {
		c.resched.Store(true)
	}
}

// handleFault is entered by trap<> for a fault of the kernel itself.
func handleFault(f *faultFrame) {
	c := thisCPU()
	f.mode, f.fs = c.mode, uint64(c.fs)
	addr := readCR2()
	if c.inFault {
		kernelPanicAt("fault while handling a fault", f, addr)
	}
	c.inFault = true
	if f.vector != trapPage {
		kernelPanicAt("unexpected trap", f, addr)
	}
	if c.mapped || !space().Fault(mm.Virt(addr), f.code) && !liftGuard(threadOn(c), mm.Virt(addr)) && !ownFileFault(addr, f.code) {
		begin, fix := addressOfCopy()
		if f.ip < uint64(begin) || f.ip >= uint64(fix) {
			kernelPanicAt("page fault", f, addr)
		}
		f.ip = uint64(fix)
	} else {
		c.record(eventFault, c.currentTID(), uint16(f.code), addr, f.ip)
	}
	c.inFault = false
}

// ownFileFault is fileFault for an access of the kernel's, which may have the
// lock already: what guards files is in order wherever memory of the program is
// touched.
func ownFileFault(addr, code uint64) bool {
	taken := relock()
	page := fileFault(addr, code)
	if page == noMemory || ranOut() {
		outOfMemory(threadOn(thisCPU()))
	}
	if taken {
		unlock()
	}
	return page == brought
}
