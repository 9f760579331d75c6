//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// System calls about threads and the process as a whole.

// clone is clone(2) for threads that share everything, the only kind there is.
func (c *cpu) clone(t *thread, flags, stack, childTID, tls uint64) uint64 {
	const need = syscall.CLONE_VM | syscall.CLONE_FS | syscall.CLONE_FILES |
		syscall.CLONE_SIGHAND | syscall.CLONE_THREAD
	const known = need | syscall.CLONE_SYSVSEM | syscall.CLONE_SETTLS
	if flags&need != need || flags&^known != 0 {
		return errno(eNOSYS) // a second process
	}
	n := newThread()
	if n == nil {
		return errno(eAGAIN)
	}
	n.bx, n.cx, n.dx, n.si, n.di, n.bp = t.bx, t.cx, t.dx, t.si, t.di, t.bp
	n.r8, n.r9, n.r10, n.r11 = t.r8, t.r9, t.r10, t.r11
	n.r12, n.r13, n.r14, n.r15 = t.r12, t.r13, t.r14, t.r15
	n.ip, n.flags, n.fs = t.ip, t.flags, t.fs
	n.mask.Store(t.mask.Load())
	n.ax, n.name = 0, t.name
	n.sp = t.sp
	if stack != 0 {
		n.sp = stack
	}
	if flags&syscall.CLONE_SETTLS != 0 {
		n.fs = tls
	}
	n.task.Inherit(&t.task)
	tid := n.tid
	wake(n)
	return uint64(tid)
}

// processID is the number of the one process. It leads its group and session.
const processID = 1

// ofProcess answers for calls that have only the one process to name: 0 or its
// number.
func ofProcess(pid int32, answer uint64) uint64 {
	if pid != 0 && pid != processID {
		return errno(syscall.ESRCH)
	}
	return answer
}

// killProcess is kill(2): the process, its group or nobody. To signal everybody
// means everybody but the one who does.
func killProcess(pid int32, signo uint64) uint64 {
	if pid == -1 || pid != 0 && pid != processID && pid != -processID {
		return errno(syscall.ESRCH)
	}
	return kill(processID, signo)
}

func archPrctl(t *thread, op, addr uint64) uint64 {
	const setFS, getFS = 0x1002, 0x1003
	switch op {
	case setFS:
		t.fs = addr
		return 0
	case getFS:
		if !storeUser64(addr, t.fs) {
			return errno(eFAULT)
		}
		return 0
	}
	return errno(eINVAL)
}

// yield lets every other thread go first that is ready on this processor.
func (c *cpu) yield(t *thread) uint64 {
	c.account(t, nanotime())
	if scheduler.Yield(c.id, &t.task) {
		c.resched.Store(true)
	}
	return 0
}

// setCurrent names the thread that runs on c, nil for none.
func (c *cpu) setCurrent(t *thread) { c.current = uintptr(unsafe.Pointer(t)) }
