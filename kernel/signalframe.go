//go:build metal

package kernel

import (
	"math/bits"
	"syscall"
	"unsafe"
)

// The way into a signal's handler and back: what stands on the stack meanwhile. Layouts
// are those of Linux on x86-64 (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h).

// sigcontext is struct sigcontext_64.
type sigcontext struct {
	r8, r9, r10, r11, r12, r13, r14, r15 uint64
	di, si, bp, bx, dx, ax, cx, sp, ip   uint64
	flags                                uint64
	cs, gs, fs, ss                       uint16
	err, trapno, oldmask, cr2            uint64
	fpstate                              uint64
	_                                    [8]uint64
}

// signalFrame is struct rt_sigframe, at SP when the handler begins.
type signalFrame struct {
	restorer uint64
	ucFlags  uint64
	ucLink   uint64
	stackSP  uint64
	stackFl  uint64
	stackSz  uint64
	regs     sigcontext
	mask     uint64
	_        [15]uint64 // Go's sigset_t is as large as glibc's
	info     struct {
		signo, errno, code, _ int32
		addr                  uint64
		_                     [13]uint64
	}
}

// deliver makes t enter the handler of one pending signal. It returns false if
// there may be more to do.
func (c *cpu) deliver(t *thread) bool {
	p := t.deliverable()
	// Faults first: their registers are those of the instruction that faulted.
	const synchronous = 1<<(syscall.SIGSEGV-1) | 1<<(syscall.SIGBUS-1) | 1<<(syscall.SIGFPE-1) |
		1<<(syscall.SIGILL-1) | 1<<(syscall.SIGTRAP-1)
	signo := int32(bits.TrailingZeros64(p)) + 1
	if p&synchronous != 0 {
		signo = int32(bits.TrailingZeros64(p&synchronous)) + 1
	}
	bit := uint64(1) << uint(signo-1)
	t.pending.And(^bit)
	if t.written != 0 {
		// A handler may write too: the call ends with what it has done.
		t.ax, t.written = t.written, 0
		t.ip += 2
	}
	a := actionOf(signo)
	if !a.handled(signo) {
		return false
	}
	if a.handler == sigDefault {
		reportFault(t, signo, t.ip)
		killed(signo)
	}

	sp, onAlt := t.sp-128, t.onAltStack()
	if a.flags&saOnStack != 0 && t.altSize != 0 && !onAlt {
		sp, onAlt = uint64(t.altStack+t.altSize), true
	}
	fp := uint64(0)
	if t.full != 0 {
		sp = (sp - uint64(vectorSize)) &^ 63
		fp = sp
	}
	var f signalFrame
	sp = (sp-uint64(unsafe.Sizeof(f)))&^15 - 8
	// What is below the signal stack is somebody else's.
	if onAlt && !t.holdsSP(sp) {
		c.lostFrame(t, signo)
		return false
	}
	if fp != 0 && !copyBytes(uintptr(fp), t.vector, vectorSize) {
		c.lostFrame(t, signo)
		return false
	}
	f.restorer = a.restorer
	f.stackSP, f.stackSz, f.stackFl = uint64(t.altStack), uint64(t.altSize), uint64(t.stackFlags())
	r := &f.regs
	r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 = t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15
	r.di, r.si, r.bp, r.bx, r.dx, r.ax, r.cx, r.sp, r.ip = t.di, t.si, t.bp, t.bx, t.dx, t.ax, t.cx, t.sp, t.ip
	r.flags, r.cs, r.ss, r.fpstate = t.flags, selCode, selData, fp
	f.mask = t.maskOfFrame()
	f.info.signo = signo
	if bit&synchronous != 0 {
		r.err, r.trapno, r.cr2 = t.fault.errCode, t.fault.trap, t.fault.addr
		f.info.code, f.info.addr = t.fault.code, t.fault.addr
	} else {
		f.info.code = signalCodes[signo]
		f.info.addr = 1 // si_pid 1, si_uid 0
	}
	if !copyBytes(uintptr(sp), uintptr(unsafe.Pointer(&f)), unsafe.Sizeof(f)) {
		c.lostFrame(t, signo)
		return false
	}
	mask := t.mask.Load() | a.mask
	if a.flags&saNoDefer == 0 {
		mask |= bit
	}
	t.mask.Store(mask)
	t.di = uint64(signo)
	t.si = sp + uint64(unsafe.Offsetof(f.info))
	t.dx = sp + uint64(unsafe.Offsetof(f.ucFlags))
	t.ax, t.sp, t.ip = 0, sp, a.handler
	t.flags = flagsIF | 2
	// Vector registers are what they are: the handler saves none and the frame
	// has those of the interrupted code. Returning the quick way is enough.
	if t.full != 0 {
		resetVectorState(t)
	}
	c.record(eventSignal, c.currentTID(), uint16(signo), uint64(t.tid), 0)
	return true
}

// resetVectorState gives a handler clean vector registers.
func resetVectorState(t *thread) {
	clear(unsafe.Slice((*byte)(pointer(t.vector)), vectorSize))
	resetVector(t.vector)
}

// lostFrame is what there is for a signal whose frame has no room or no memory on the
// stack: SIGSEGV instead, and if it was that one, the end.
func (c *cpu) lostFrame(t *thread, signo int32) {
	if signo == int32(syscall.SIGSEGV) {
		printString("\nnuos: the frame of a signal has no place on the stack")
		reportFault(t, signo, t.sp)
		killed(signo)
	}
	c.forceFault(t)
}

// forceFault sends SIGSEGV as for a fault: who blocks it has no choice.
func (c *cpu) forceFault(t *thread) {
	const siKernel = 0x80
	c.fault(t, int32(syscall.SIGSEGV), siKernel, 0, 0, 0)
}

func (t *thread) onAltStack() bool { return t.holdsSP(t.sp) }

// holdsSP reports whether a stack pointer is one of t's signal stack. Empty, it points
// behind it.
func (t *thread) holdsSP(sp uint64) bool {
	return uintptr(sp)-t.altStack-1 < t.altSize
}

func (t *thread) stackFlags() int32 {
	switch {
	case t.altSize == 0:
		return ssDisable
	case t.onAltStack():
		return ssOnStack
	}
	return 0
}

// rtSigreturn puts back what deliver saved, as the handler left it.
func (c *cpu) rtSigreturn(t *thread) uint64 {
	var f signalFrame
	at := t.sp - 8 // the handler's return took the restorer
	if !copyBytes(uintptr(unsafe.Pointer(&f)), uintptr(at), unsafe.Sizeof(f)) {
		c.forceFault(t)
		return blocked
	}
	r := &f.regs
	t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15 = r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15
	t.di, t.si, t.bp, t.bx, t.dx, t.ax, t.cx, t.sp, t.ip = r.di, r.si, r.bp, r.bx, r.dx, r.ax, r.cx, r.sp, r.ip
	const arithmetic = 0xCD5 // CF PF AF ZF SF DF OF
	t.flags = r.flags&arithmetic | flagsIF | 2
	t.mask.Store(f.mask &^ unblockable)
	if r.fpstate != 0 {
		if !copyBytes(t.vector, uintptr(r.fpstate), vectorSize) {
			c.forceFault(t)
			return blocked
		}
		sanitizeVector(t.vector)
	} else {
		resetVectorState(t)
	}
	t.full = 1
	return blocked // AX is restored
}
