//go:build metal

package kernel

import (
	"math/bits"
	"syscall"
	"unsafe"

	"nuos/boot"
	"nuos/kernel/internal/sched"
)

// Signals as Go uses them: handlers on the signal stack of each thread, faults
// as SIGSEGV and the like, SIGURG for preemption, SIGPROF for profiles. Layouts
// are those of Linux on x86-64 (arch/x86/include/uapi/asm/sigcontext.h,
// ucontext.h).

// faultInfo is the part of siginfo that says why.
type faultInfo struct {
	code    int32
	addr    uint64
	trap    uint64
	errCode uint64
}

// action is struct sigaction as the kernel sees it.
type action struct {
	handler, flags, restorer, mask uint64
}

const (
	sigDefault, sigIgnore = 0, 1

	saSigInfo  = 0x4
	saRestorer = 0x4000000
	saOnStack  = 0x8000000
	saRestart  = 0x10000000
	saNoDefer  = 0x40000000

	ssOnStack = 1
	ssDisable = 2
)

// signalLock guards the actions, and threads that are sent signals from ending.
var signalLock sched.Lock

var (
	actions     [65]action
	signalCodes [65]int32 // si_code of the last asynchronous sending
)

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

// raise makes a signal pending for the running thread, or one that another lock keeps
// from ending.
func raise(t *thread, signo int32, code int32) {
	signalLock.Lock()
	waited := post(t, signo, code)
	signalLock.Unlock()
	if waited {
		endWait(t, true)
	}
}

// post makes a signal pending for a thread and sees to it that the thread notices: it
// runs, ready or waiting. If it waited, which is the result, the wait is the caller's to end.
// Precondition: signalLock is held.
func post(t *thread, signo int32, code int32) (waited bool) {
	bit := uint64(1) << uint(signo-1)
	if !actions[signo].handled(signo) {
		return false
	}
	t.pending.Or(bit)
	signalCodes[signo] = code
	for t.mask.Load()&bit == 0 {
		at := t.task.Now()
		if t.pending.Load()&bit == 0 {
			break // it has noticed
		}
		switch t.task.Poke(at) {
		case sched.Changed:
			continue
		case sched.Runs:
			if c := &cpus[t.task.CPU()]; c != thisCPU() {
				c.interrupt(vecResched)
			}
		case sched.Claimed:
			return true
		}
		break
	}
	return false
}

// handled reports whether a signal does anything.
func (a *action) handled(signo int32) bool {
	return a.handler != sigIgnore && (a.handler != sigDefault || !ignoredByDefault(signo))
}

// actionOf is what a signal does now.
func actionOf(signo int32) action {
	signalLock.Lock()
	a := actions[signo]
	signalLock.Unlock()
	return a
}

func ignoredByDefault(signo int32) bool {
	switch syscall.Signal(signo) {
	case syscall.SIGCHLD, syscall.SIGURG, syscall.SIGWINCH, syscall.SIGCONT:
		return true
	}
	return false
}

// signalsRestart reports whether the handlers of all signals that t is about to
// get let interrupted calls be made again.
func signalsRestart(t *thread) bool {
	for p := t.deliverable(); p != 0; p &= p - 1 {
		if a := actionOf(int32(bits.TrailingZeros64(p)) + 1); a.flags&saRestart == 0 {
			return false
		}
	}
	return true
}

// fault turns a trap of the program into a synchronous signal.
func (c *cpu) fault(t *thread, signo, code int32, addr, trap, errCode uint64) {
	c.record(eventException, t.tid, uint16(trap), addr, t.ip)
	bit := uint64(1) << uint(signo-1)
	t.fault = faultInfo{code, addr, trap, errCode}
	if a := actionOf(signo); t.mask.Load()&bit != 0 || a.handler <= sigIgnore {
		reportFault(t, signo, addr)
		killed(signo)
	}
	t.pending.Or(bit)
}

// killed ends the machine as a signal's default action ends a process; the
// status is that of a shell.
func killed(signo int32) {
	stopOthers()
	if dumpsCore(signo) {
		reportCrash()
	}
	boot.Exit(boot.ExitCode(128 + int(signo)))
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

	sp := t.sp - 128
	if a.flags&saOnStack != 0 && t.altSize != 0 && !t.onAltStack() {
		sp = uint64(t.altStack + t.altSize)
	}
	fp := uint64(0)
	if t.full != 0 {
		sp = (sp - uint64(vectorSize)) &^ 63
		fp = sp
		if !copyBytes(uintptr(fp), t.vector, vectorSize) {
			lostStack(t, signo)
		}
	}
	var f signalFrame
	sp = (sp-uint64(unsafe.Sizeof(f)))&^15 - 8
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
		lostStack(t, signo)
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

func (t *thread) onAltStack() bool {
	return uintptr(t.sp)-t.altStack < t.altSize
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
		lostStack(t, int32(syscall.SIGSEGV))
	}
	r := &f.regs
	t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15 = r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15
	t.di, t.si, t.bp, t.bx, t.dx, t.ax, t.cx, t.sp, t.ip = r.di, r.si, r.bp, r.bx, r.dx, r.ax, r.cx, r.sp, r.ip
	const arithmetic = 0xCD5 // CF PF AF ZF SF DF OF
	t.flags = r.flags&arithmetic | flagsIF | 2
	t.mask.Store(f.mask &^ unblockable)
	if r.fpstate != 0 {
		if !copyBytes(t.vector, uintptr(r.fpstate), vectorSize) {
			lostStack(t, int32(syscall.SIGSEGV))
		}
		sanitizeVector(t.vector)
	} else {
		resetVectorState(t)
	}
	t.full = 1
	return blocked // AX is restored
}

const unblockable = 1<<(syscall.SIGKILL-1) | 1<<(syscall.SIGSTOP-1)

func lostStack(t *thread, signo int32) {
	reportFault(t, signo, t.sp)
	kernelPanic("the signal stack cannot be used")
}

func rtSigaction(signo, set, get uint64) uint64 {
	if signo == 0 || signo > 64 {
		return errno(eINVAL)
	}
	old := actionOf(int32(signo))
	if get != 0 && !copyBytes(uintptr(get), uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old)) {
		return errno(eFAULT)
	}
	if set != 0 {
		if unblockable>>(signo-1)&1 != 0 {
			return errno(eINVAL)
		}
		var n action
		if !copyBytes(uintptr(unsafe.Pointer(&n)), uintptr(set), unsafe.Sizeof(n)) {
			return errno(eFAULT)
		}
		n.mask &^= unblockable
		signalLock.Lock()
		actions[signo] = n
		signalLock.Unlock()
	}
	return 0
}

func rtSigprocmask(t *thread, how, set, get uint64) uint64 {
	const block, unblock, setmask = 0, 1, 2
	old := t.mask.Load()
	if set != 0 {
		m, ok := loadUser64(set)
		if !ok {
			return errno(eFAULT)
		}
		switch how {
		case block:
			m |= old
		case unblock:
			m = old &^ m
		case setmask:
		default:
			return errno(eINVAL)
		}
		t.mask.Store(m &^ unblockable)
	}
	if get != 0 && !storeUser64(get, old) {
		return errno(eFAULT)
	}
	return 0
}

// stackt is struct sigaltstack.
type stackt struct {
	sp    uint64
	flags int32
	_     int32
	size  uint64
}

func sigaltstack(t *thread, set, get uint64) uint64 {
	old := stackt{sp: uint64(t.altStack), flags: t.stackFlags(), size: uint64(t.altSize)}
	if set != 0 {
		var n stackt
		if !copyBytes(uintptr(unsafe.Pointer(&n)), uintptr(set), unsafe.Sizeof(n)) {
			return errno(eFAULT)
		}
		if t.onAltStack() {
			return errno(syscall.EPERM)
		}
		if n.flags&ssDisable != 0 {
			n.sp, n.size = 0, 0
		} else if n.size < 2048 {
			return errno(syscall.ENOMEM)
		}
		t.altStack, t.altSize = uintptr(n.sp), uintptr(n.size)
	}
	if get != 0 && !copyBytes(uintptr(get), uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old)) {
		return errno(eFAULT)
	}
	return 0
}

// kill is tkill(2): signal signo to one thread.
func kill(tid int32, signo uint64) uint64 {
	const siTKill = -6
	if signo > 64 {
		return errno(eINVAL)
	}
	signalLock.Lock()
	t := threadAt(tid)
	waited := t != nil && signo != 0 && post(t, int32(signo), siTKill)
	signalLock.Unlock()
	if waited {
		endWait(t, true)
	}
	if t == nil {
		return errno(syscall.ESRCH)
	}
	return 0
}
