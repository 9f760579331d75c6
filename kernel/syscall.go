//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// System calls, by Linux's numbers and conventions: number in AX, arguments in
// DI, SI, DX, R10, R8, R9, result or negated errno in AX.

// blocked is the result of a call that waits: AX is somebody else's to set.
const blocked = 1<<63 - 1

const (
	eINTR     = syscall.EINTR
	eAGAIN    = syscall.EAGAIN
	eFAULT    = syscall.EFAULT
	eINVAL    = syscall.EINVAL
	eBADF     = syscall.EBADF
	eNOSYS    = syscall.ENOSYS
	eTIMEDOUT = syscall.ETIMEDOUT
)

// Calls of nuos's own, outside of Linux's numbers: the functions of this
// package that goroutines call.
const (
	nrSetReady = 0x6E750000 + iota
	nrClearReady
	nrCompleteCall
	nrSignalEvent
	nrAllocMSI
	nrWatchWord
	nrUnwatchWord
	nrSetFile
	nrStats
	nrAudit
)

// errno is the result of a call that fails.
func errno(e syscall.Errno) uint64 { return -uint64(e) }

// handleSyscall is entered by syscallEntry, on c, with the thread that calls. Calls that have
// locks of their own or need none are made here: memory's take long, and those of threads are
// how Go's scheduler wakes, stops and preempts them. What a call costs at least is decided here
// and in the entry code: where one waits for nobody, succeeds and leaves nothing else to be
// done, no function is called but its own.
func handleSyscall(t *thread, c *cpu) *thread {
	c.countCall(t)
	nr, a, b, d, tid := t.ax, t.di, t.si, t.dx, t.tid // which are gone when t waits
	t.nr = nr
	var r uint64
	switch nr {
	case syscall.SYS_MMAP:
		r = mmap(a, b, d, t.r10, int32(t.r8), t.r9)
	case syscall.SYS_MUNMAP:
		r = munmap(a, b)
	case syscall.SYS_MPROTECT:
		r = mprotect(a, b, d)
	case syscall.SYS_MADVISE:
		r = madvise(a, b, d)
	case syscall.SYS_MREMAP:
		r = mremap(a, b, d, t.r10, t.r8)
	case syscall.SYS_MINCORE:
		r = mincore(a, b, d)
	case syscall.SYS_FUTEX:
		r = c.futex(t, a, b, d, t.r10)
	case syscall.SYS_NANOSLEEP:
		r = c.nanosleep(t, a)
	case syscall.SYS_SCHED_YIELD:
		r = c.yield(t)
	case syscall.SYS_TGKILL:
		r = kill(int32(b), d)
	case syscall.SYS_TKILL:
		r = kill(int32(a), b)
	case syscall.SYS_RT_SIGPROCMASK:
		r = rtSigprocmask(t, a, b, d)
	case syscall.SYS_RT_SIGRETURN:
		r = c.rtSigreturn(t)
	case syscall.SYS_SIGALTSTACK:
		r = sigaltstack(t, a, b)
	case syscall.SYS_PAUSE:
		r = c.pause(t)
	case syscall.SYS_CLOCK_NANOSLEEP:
		r = c.clockNanosleep(t, a, b, d)
	case syscall.SYS_GETPID, syscall.SYS_GETPGRP:
		r = processID
	case syscall.SYS_GETPPID:
	case syscall.SYS_GETTID:
		r = uint64(t.tid)
	default:
		lock()
		c.systemCall(t)
		unlock()
		return c.leave()
	}
	if !recorded(r) {
		t.ax = r
		if c.goesOn(t) {
			return t
		}
	} else {
		c.finish(t, tid, nr, a, r)
	}
	return c.leave()
}

// goesOn reports whether t, whose call without the kernel's lock did not wait, returns to
// the program and nothing else is to be done: leave would come to the same, but look at
// the timer, which no such call sets without waiting.
func (c *cpu) goesOn(t *thread) bool {
	return c.current == uintptr(unsafe.Pointer(t)) && !c.resched.Load() && t.deliverable() == 0 && !t.maskSwapped && !t.retry
}

// systemCall makes the call in t's registers, for the first time or again.
// Precondition: the kernel's lock is held.
func (c *cpu) systemCall(t *thread) {
	nr, a, tid := t.ax, t.di, t.tid // rt_sigreturn changes two, and exit the third
	t.nr = nr
	c.finish(t, tid, nr, a, c.dispatch(t, nr, a, t.si, t.dx, t.r10, t.r8, t.r9))
}

// finish gives the call its result, if it has one.
func (c *cpu) finish(t *thread, tid int32, nr, a, r uint64) {
	if recorded(r) {
		c.recordCall(tid, nr, a, r)
	}
	if r != blocked {
		t.ax = r
	}
}

// dispatch makes all other calls.
// Precondition: the kernel's lock is held.
func (c *cpu) dispatch(t *thread, nr, a, b, d, e, f, g uint64) uint64 {
	switch nr {
	case syscall.SYS_READ:
		return c.read(t, int32(a), b, d)
	case syscall.SYS_WRITE:
		return c.writeAll(t, int32(a), b, d)
	case syscall.SYS_READV, syscall.SYS_WRITEV:
		return c.vector(t, nr, int32(a), b, d)
	case syscall.SYS_PREADV, syscall.SYS_PWRITEV:
		return c.vectorAt(t, int32(a), b, d, int64(e), 0, false, nr == syscall.SYS_PWRITEV)
	case sysPreadv2, sysPwritev2:
		return c.vectorAt(t, int32(a), b, d, int64(e), g&0xFFFFFFFF, true, nr == sysPwritev2)
	case syscall.SYS_VMSPLICE:
		return c.vmsplice(t, int32(a), b, d, e&0xFFFFFFFF)
	case syscall.SYS_EPOLL_PWAIT:
		return c.epollPwait(t, int32(a), b, int32(d), milliseconds(int32(e)), f, g)
	case syscall.SYS_EPOLL_WAIT:
		return c.epollWait(t, int32(a), b, int32(d), milliseconds(int32(e)))
	case sysEpollPwait2:
		return c.epollPwait2(t, int32(a), b, int32(d), e, f, g)
	case syscall.SYS_POLL:
		return c.poll(t, a, b&0xFFFFFFFF, milliseconds(int32(d)))
	case syscall.SYS_PPOLL:
		return c.ppoll(t, a, b&0xFFFFFFFF, d, e, f)
	case syscall.SYS_SELECT:
		return c.selectTimeval(t, int32(a), b, d, e, f)
	case syscall.SYS_PSELECT6:
		return c.pselect6(t, int32(a), b, d, e, f, g)
	case syscall.SYS_CLOCK_GETTIME:
		return clockGettime(t, a, b)
	case syscall.SYS_CLOCK_SETTIME:
		return c.clockSettime(a, b)
	case syscall.SYS_SETTIMEOFDAY:
		return c.settimeofday(a)
	case syscall.SYS_ADJTIMEX:
		return adjtimex(a)
	case sysClockAdjtime:
		if a != clockRealtime {
			return errno(syscall.EOPNOTSUPP)
		}
		return adjtimex(b)
	case syscall.SYS_CLOCK_GETRES:
		return clockGetres(a, b)
	case syscall.SYS_TIMERFD_CREATE:
		return timerfdCreate(a, b)
	case syscall.SYS_TIMERFD_SETTIME:
		return c.timerfdSettime(int32(a), b, d, e)
	case syscall.SYS_TIMERFD_GETTIME:
		return timerfdGettime(int32(a), b)
	case syscall.SYS_GETTIMEOFDAY:
		return gettimeofday(a)
	case syscall.SYS_CLONE:
		return c.clone(t, a, b, e, f)
	case syscall.SYS_EXIT:
		return c.exit(t)
	case syscall.SYS_EXIT_GROUP:
		exit(int(int32(a)))
	case syscall.SYS_ARCH_PRCTL:
		return archPrctl(t, a, b)
	case syscall.SYS_SCHED_GETAFFINITY:
		return schedGetaffinity(t, int32(a), b, d)

	case syscall.SYS_RT_SIGACTION:
		return rtSigaction(a, b, d)
	case syscall.SYS_KILL:
		return killProcess(int32(a), b)
	case syscall.SYS_WAIT4, syscall.SYS_WAITID:
		return errno(syscall.ECHILD)
	case syscall.SYS_GETPGID, syscall.SYS_GETSID:
		return ofProcess(int32(a), processID)
	case syscall.SYS_SETPGID:
		return ofProcess(int32(a), errno(syscall.EPERM)) // it leads a session
	case syscall.SYS_SETSID:
		return errno(syscall.EPERM) // it leads a group
	case syscall.SYS_SETITIMER:
		return c.setitimer(a, b, d)
	case syscall.SYS_GETITIMER:
		return getitimer(a, b)
	case syscall.SYS_ALARM:
		return c.alarm(a)
	case sysTimerCreate:
		return timerCreate(t, a, b, d)
	case sysTimerSettime:
		return timerSettime(a, d)
	case sysTimerDelete:
		return timerDelete(a)

	case syscall.SYS_EPOLL_CREATE1:
		return epollCreate(a)
	case syscall.SYS_EPOLL_CREATE:
		return epollCreate(0)
	case syscall.SYS_EPOLL_CTL:
		return epollCtl(int32(a), b, int32(d), e)
	case syscall.SYS_EVENTFD2:
		return eventfd(a, b)
	case syscall.SYS_PIPE2:
		return c.pipe2(t, a, b)
	case syscall.SYS_PIPE:
		return c.pipe2(t, a, 0)
	case syscall.SYS_CLOSE:
		return c.closeFD(t, int32(a))
	case syscall.SYS_FCNTL:
		return fcntl(int32(a), b, d)
	case syscall.SYS_DUP:
		return fcntl(int32(a), syscall.F_DUPFD, 0)
	case syscall.SYS_DUP2:
		return c.dup2(t, int32(a), int32(b))
	case syscall.SYS_DUP3:
		return c.dup3(t, int32(a), int32(b), d)
	case sysCloseRange:
		return c.closeRange(t, a&0xFFFFFFFF, b&0xFFFFFFFF, d)
	case syscall.SYS_IOCTL:
		return c.ioctl(t, int32(a), b, d)

	case syscall.SYS_UNAME:
		return uname(a)
	case syscall.SYS_SETHOSTNAME:
		return setHostName(&hostName, a, b)
	case syscall.SYS_SETDOMAINNAME:
		return setHostName(&domainName, a, b)
	case sysGetrandom:
		return getrandom(a, b)
	case syscall.SYS_PRLIMIT64:
		return prlimit(int32(a), b, d, e)
	case syscall.SYS_GETRLIMIT:
		return prlimit(0, a, 0, b)
	case syscall.SYS_SETRLIMIT:
		return prlimit(0, a, b, 0)
	case syscall.SYS_PRCTL:
		return prctl(t, a, b, d, e, f)
	case syscall.SYS_GETRUSAGE:
		return getrusage(t, int32(a), b)
	case syscall.SYS_TIMES:
		return times(t, a)
	case syscall.SYS_SYSINFO:
		return sysinfo(a)
	case syscall.SYS_GETPRIORITY:
		return getpriority(a, b)
	case syscall.SYS_SETPRIORITY:
		return setpriority(a, b, d)
	case syscall.SYS_SCHED_GET_PRIORITY_MAX:
		return priorityBound(a, 99)
	case syscall.SYS_SCHED_GET_PRIORITY_MIN:
		return priorityBound(a, 1)
	case syscall.SYS_SCHED_GETSCHEDULER:
		return schedGetscheduler(t, int32(a))
	case syscall.SYS_SCHED_SETSCHEDULER:
		return schedSetscheduler(t, int32(a), b&0xFFFFFFFF, d)
	case syscall.SYS_SCHED_GETPARAM:
		return schedGetparam(t, int32(a), b)
	case syscall.SYS_SCHED_SETPARAM:
		return schedSetscheduler(t, int32(a), policyOther, b)
	case syscall.SYS_SCHED_RR_GET_INTERVAL:
		return schedRRGetInterval(t, int32(a), b)
	case syscall.SYS_SCHED_SETAFFINITY:
		return schedSetaffinity(t, int32(a), b, d)
	case sysGetcpu:
		return getcpu(c, a, b)

	case syscall.SYS_GETUID, syscall.SYS_GETEUID, syscall.SYS_GETGID, syscall.SYS_GETEGID,
		syscall.SYS_GETRESUID, syscall.SYS_GETRESGID, syscall.SYS_SETUID, syscall.SYS_SETGID,
		syscall.SYS_SETREUID, syscall.SYS_SETREGID, syscall.SYS_SETRESUID, syscall.SYS_SETRESGID,
		syscall.SYS_SETFSUID, syscall.SYS_SETFSGID, syscall.SYS_GETGROUPS, syscall.SYS_SETGROUPS,
		syscall.SYS_CAPGET, syscall.SYS_CAPSET:
		return identityCall(nr, a, b, d)

	case syscall.SYS_SOCKETPAIR:
		return c.socketpair(t, a, b, d, e)
	case syscall.SYS_SOCKET, syscall.SYS_BIND, syscall.SYS_LISTEN, syscall.SYS_ACCEPT, syscall.SYS_ACCEPT4,
		syscall.SYS_CONNECT, syscall.SYS_GETSOCKNAME, syscall.SYS_GETPEERNAME,
		syscall.SYS_SETSOCKOPT, syscall.SYS_GETSOCKOPT, syscall.SYS_SHUTDOWN,
		syscall.SYS_SENDTO, syscall.SYS_RECVFROM, syscall.SYS_SENDMSG, syscall.SYS_RECVMSG,
		SysSendmmsg, syscall.SYS_RECVMMSG:
		return c.socketCall(t, nr)

	case sysMembarrier, sysRseq, syscall.SYS_SET_ROBUST_LIST, syscall.SYS_GET_ROBUST_LIST,
		sysPidfdOpen, sysPidfdSendSignal, sysClone3, sysOpenat2:
		return errno(eNOSYS) // optional or new parts of Linux, which Go and libraries try and do without

	case nrSetReady:
		setReady(int(a), uint32(b))
		return 0
	case nrClearReady:
		clearReady(int(a), uint32(b))
		return 0
	case nrCompleteCall:
		completeCall(Token(a), int(b))
		return 0
	case nrSignalEvent:
		signalEvent(int32(a))
		return 0
	case nrAllocMSI:
		return allocMSI(int32(a))
	case nrWatchWord:
		return watchWord(uintptr(a), int32(b), d != 0)
	case nrUnwatchWord:
		return unwatchWord(uintptr(a))
	case nrStats:
		return readStats(a)
	case nrAudit:
		return auditMemory(a)
	case nrSetFile:
		return setFile(a, b, d, e)
	}
	return c.fileCall(t, nr, a, b, d, e, f, g)
}

// Numbers that package syscall does not have.
const (
	sysTimerCreate     = 222
	sysTimerSettime    = 223
	sysTimerDelete     = 226
	sysGetcpu          = 309
	sysGetrandom       = 318
	sysMembarrier      = 324
	sysPreadv2         = 327
	sysPwritev2        = 328
	sysPidfdSendSignal = 424
	sysPidfdOpen       = 434
	sysClone3          = 435
	sysOpenat2         = 437
	sysClockAdjtime    = 305
	sysRseq            = 334
	sysCloseRange      = 436
	sysEpollPwait2     = 441
)

// CopyIn fills dst from the program's memory at addr and reports whether all
// of it was readable. Handler context.
func CopyIn(dst []byte, addr uintptr) bool {
	return len(dst) == 0 || copyBytes(uintptr(unsafe.Pointer(&dst[0])), addr, uintptr(len(dst)))
}

// CopyOut writes src to the program's memory at addr and reports whether all of
// it was writable. Handler context.
func CopyOut(addr uintptr, src []byte) bool {
	return len(src) == 0 || copyBytes(addr, uintptr(unsafe.Pointer(&src[0])), uintptr(len(src)))
}

// loadUser32 and the like are small to call and, with what copyBytes wants, not small
// to inline.
//
//go:noinline
func loadUser32(addr uint64) (v uint32, ok bool) {
	ok = copyBytes(uintptr(unsafe.Pointer(&v)), uintptr(addr), 4)
	return v, ok
}

// loadMapped32 is loadUser32 for those who hold a lock under which no page can be
// brought in: it fails if the page is not there.
func (c *cpu) loadMapped32(addr uint64) (v uint32, ok bool) {
	c.mapped = true
	ok = copyBytes(uintptr(unsafe.Pointer(&v)), uintptr(addr), 4)
	c.mapped = false
	return v, ok
}

//go:noinline
func loadUser64(addr uint64) (v uint64, ok bool) {
	ok = copyBytes(uintptr(unsafe.Pointer(&v)), uintptr(addr), 8)
	return v, ok
}

//go:noinline
func storeUser32(addr uint64, v uint32) bool {
	return copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&v)), 4)
}

//go:noinline
func storeUser64(addr uint64, v uint64) bool {
	return copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&v)), 8)
}
