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
// as SIGSEGV and the like, SIGURG for preemption, SIGPROF for profiles.
// signalframe.go has the way into a handler and back.

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

const unblockable = 1<<(syscall.SIGKILL-1) | 1<<(syscall.SIGSTOP-1)

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
		t.guardStack()
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
