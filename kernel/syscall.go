//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/kernel/ramfs"
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
)

// errno is the result of a call that fails.
func errno(e syscall.Errno) uint64 { return -uint64(e) }

// handleSyscall is entered by syscallEntry.
func handleSyscall(t *thread) *thread {
	c := thisCPU()
	c.calls++
	// Memory has its own lock, and much of what it does takes long. Nothing
	// that asks this processor to switch is missed: it comes with an
	// interrupt, which is pending until the thread goes on.
	switch t.ax {
	case syscall.SYS_MMAP:
		t.ax = mmap(t.di, t.si, t.dx, t.r10, int32(t.r8), t.r9)
		return t
	case syscall.SYS_MUNMAP:
		t.ax = munmap(t.di, t.si)
		return t
	case syscall.SYS_MPROTECT:
		t.ax = mprotect(t.di, t.si, t.dx)
		return t
	case syscall.SYS_MADVISE:
		t.ax = madvise(t.di, t.si, t.dx)
		return t
	}
	lock()
	answerFlush()
	c.systemCall(t)
	return c.leave(t)
}

// systemCall makes the call in t's registers, for the first time or again.
func (c *cpu) systemCall(t *thread) {
	nr := t.ax
	t.nr = nr
	if r := c.dispatch(t, nr, t.di, t.si, t.dx, t.r10, t.r8, t.r9); r != blocked {
		t.ax = r
	}
	if t.state == threadBlocked && t.pending&^t.mask != 0 {
		interrupt(t) // the signal came before the wait
	}
}

func (c *cpu) dispatch(t *thread, nr, a, b, d, e, f, g uint64) uint64 {
	switch nr {
	case syscall.SYS_FUTEX:
		return c.futex(t, a, b, d, e)
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
	case syscall.SYS_NANOSLEEP:
		return c.nanosleep(t, a)
	case syscall.SYS_CLOCK_NANOSLEEP:
		return c.clockNanosleep(t, a, b, d)
	case syscall.SYS_PAUSE:
		return c.pause(t)
	case syscall.SYS_SCHED_YIELD:
		return c.yield(t)
	case syscall.SYS_CLOCK_GETTIME:
		return clockGettime(t, a, b)
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
	case syscall.SYS_GETPID, syscall.SYS_GETPGRP:
		return processID
	case syscall.SYS_GETPPID:
		return 0
	case syscall.SYS_GETTID:
		return uint64(t.tid)
	case syscall.SYS_CLONE:
		return c.clone(t, a, b, e, f)
	case syscall.SYS_EXIT:
		t.state = threadEnded // leave does the rest
		return blocked
	case syscall.SYS_EXIT_GROUP:
		exit(int(int32(a)))
	case syscall.SYS_ARCH_PRCTL:
		return archPrctl(t, a, b)
	case syscall.SYS_SCHED_GETAFFINITY:
		return schedGetaffinity(b, d)

	case syscall.SYS_RT_SIGACTION:
		return rtSigaction(a, b, d)
	case syscall.SYS_RT_SIGPROCMASK:
		return rtSigprocmask(t, a, b, d)
	case syscall.SYS_RT_SIGRETURN:
		return c.rtSigreturn(t)
	case syscall.SYS_SIGALTSTACK:
		return sigaltstack(t, a, b)
	case syscall.SYS_TGKILL:
		return kill(int32(b), d)
	case syscall.SYS_TKILL:
		return kill(int32(a), b)
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
		return setitimer(a, b, d)
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

	case syscall.SYS_OPENAT:
		return c.openat(t, int32(a), b, d, e)
	case syscall.SYS_OPEN:
		return c.openat(t, atFDCWD, a, b, d)
	case syscall.SYS_CREAT:
		return c.openat(t, atFDCWD, a, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_TRUNC, b)
	case sysMemfdCreate:
		return memfdCreate(b)
	case syscall.SYS_LSEEK:
		return lseek(int32(a), int64(b), d)
	case syscall.SYS_PREAD64:
		return c.pread(t, int32(a), b, d, int64(e))
	case syscall.SYS_PWRITE64:
		return c.pwrite(t, int32(a), b, d, int64(e))
	case syscall.SYS_SENDFILE:
		return c.sendfile(t, int32(a), int32(b), d, e)
	case syscall.SYS_SPLICE:
		return c.splice(t, int32(a), b, int32(d), e, f, g&0xFFFFFFFF)
	case syscall.SYS_TEE:
		return c.tee(t, int32(a), int32(b), d, e&0xFFFFFFFF)
	case sysCopyFileRange:
		return c.copyFileRange(t, int32(a), b, int32(d), e, f, g&0xFFFFFFFF)
	case syscall.SYS_FTRUNCATE:
		return ftruncate(int32(a), int64(b))
	case syscall.SYS_TRUNCATE:
		return truncate(a, int64(b))
	case syscall.SYS_FALLOCATE:
		return fallocate(int32(a), int64(d), int64(e))
	case syscall.SYS_MSYNC:
		return msync(a, b, d)
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		return fsync(int32(a))
	case syscall.SYS_SYNC:
		return 0
	case sysSyncfs:
		return syncfs(int32(a))
	case syscall.SYS_SYNC_FILE_RANGE:
		return syncFileRange(int32(a), int64(b), int64(d), e&0xFFFFFFFF)
	case syscall.SYS_FADVISE64:
		return fadvise(int32(a), int64(d), e&0xFFFFFFFF)
	case syscall.SYS_READAHEAD:
		return readahead(int32(a))
	case syscall.SYS_MLOCK, syscall.SYS_MUNLOCK:
		return mlock(a, b, 0)
	case sysMlock2:
		return mlock(a, b, d)
	case syscall.SYS_MLOCKALL:
		return mlockall(a)
	case syscall.SYS_MUNLOCKALL:
		return 0
	case syscall.SYS_FLOCK:
		return c.flock(t, int32(a), b)
	case syscall.SYS_FSTAT:
		return fstat(int32(a), b)
	case syscall.SYS_NEWFSTATAT:
		return newfstatat(int32(a), b, d, e)
	case syscall.SYS_STAT:
		return newfstatat(atFDCWD, a, b, 0)
	case syscall.SYS_LSTAT:
		return newfstatat(atFDCWD, a, b, atSymlinkNofollow)
	case sysStatx:
		return statx(int32(a), b, d&0xFFFFFFFF, e&0xFFFFFFFF, f)
	case syscall.SYS_STATFS:
		if _, e := nodeAt(atFDCWD, a, ramfs.Follow); e != 0 {
			return errno(e)
		}
		return statfs(b)
	case syscall.SYS_FSTATFS:
		if fileOf(int32(a)) == nil {
			return errno(eBADF)
		}
		return statfs(b)
	case syscall.SYS_GETDENTS64:
		return getdents(int32(a), b, d)

	case syscall.SYS_MKDIRAT:
		return mkdirat(int32(a), b, d)
	case syscall.SYS_MKDIR:
		return mkdirat(atFDCWD, a, b)
	case syscall.SYS_MKNODAT:
		return mknodat(int32(a), b, d)
	case syscall.SYS_MKNOD:
		return mknodat(atFDCWD, a, b)
	case syscall.SYS_UNLINKAT:
		return unlinkat(int32(a), b, d)
	case syscall.SYS_UNLINK:
		return unlinkat(atFDCWD, a, 0)
	case syscall.SYS_RMDIR:
		return unlinkat(atFDCWD, a, atRemoveDir)
	case sysRenameat2:
		return renameat(int32(a), b, int32(d), e, f)
	case syscall.SYS_RENAMEAT:
		return renameat(int32(a), b, int32(d), e, 0)
	case syscall.SYS_RENAME:
		return renameat(atFDCWD, a, atFDCWD, b, 0)
	case syscall.SYS_LINKAT:
		return linkat(int32(a), b, int32(d), e, f)
	case syscall.SYS_LINK:
		return linkat(atFDCWD, a, atFDCWD, b, 0)
	case syscall.SYS_SYMLINKAT:
		return symlinkat(a, int32(b), d)
	case syscall.SYS_SYMLINK:
		return symlinkat(a, atFDCWD, b)
	case syscall.SYS_READLINKAT:
		return readlinkat(int32(a), b, d, e)
	case syscall.SYS_READLINK:
		return readlinkat(atFDCWD, a, b, d)
	case syscall.SYS_CHDIR:
		return chdir(a)
	case syscall.SYS_FCHDIR:
		return fchdir(int32(a))
	case syscall.SYS_GETCWD:
		return getcwd(a, b)
	case syscall.SYS_UMASK:
		return setUmask(a)
	case syscall.SYS_FCHMODAT:
		return fchmodat(int32(a), b, d, 0)
	case sysFchmodat2:
		return fchmodat(int32(a), b, d, e)
	case syscall.SYS_CHMOD:
		return fchmodat(atFDCWD, a, b, 0)
	case syscall.SYS_FCHMOD:
		return fchmod(int32(a), b)
	case syscall.SYS_FCHOWNAT:
		return fchownat(int32(a), b, d, e, f)
	case syscall.SYS_CHOWN:
		return fchownat(atFDCWD, a, b, d, 0)
	case syscall.SYS_LCHOWN:
		return fchownat(atFDCWD, a, b, d, atSymlinkNofollow)
	case syscall.SYS_FCHOWN:
		return fchown(int32(a), b, d)
	case syscall.SYS_UTIMENSAT:
		return utimensat(int32(a), b, d, e)
	case syscall.SYS_FUTIMESAT:
		return futimesat(int32(a), b, d)
	case syscall.SYS_UTIMES:
		return futimesat(atFDCWD, a, b)
	case syscall.SYS_UTIME:
		return utime(a, b)
	case syscall.SYS_GETXATTR, syscall.SYS_SETXATTR, syscall.SYS_REMOVEXATTR, syscall.SYS_LISTXATTR:
		return xattrAt(a, ramfs.Follow, nr == syscall.SYS_LISTXATTR)
	case syscall.SYS_LGETXATTR, syscall.SYS_LSETXATTR, syscall.SYS_LREMOVEXATTR, syscall.SYS_LLISTXATTR:
		return xattrAt(a, ramfs.NoFollow, nr == syscall.SYS_LLISTXATTR)
	case syscall.SYS_FGETXATTR, syscall.SYS_FSETXATTR, syscall.SYS_FREMOVEXATTR, syscall.SYS_FLISTXATTR:
		return fxattr(int32(a), nr == syscall.SYS_FLISTXATTR)
	case syscall.SYS_FACCESSAT:
		return faccessat(int32(a), b, d, 0)
	case sysFaccessat2:
		return faccessat(int32(a), b, d, e)
	case syscall.SYS_ACCESS:
		return faccessat(atFDCWD, a, b, 0)

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
		return prctl(t, a, b)
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
		return schedSetaffinity(int32(a), b, d)
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

	case sysMembarrier, sysRseq, syscall.SYS_SET_ROBUST_LIST, syscall.SYS_GET_ROBUST_LIST:
		return errno(eNOSYS) // optional parts of Linux, which C libraries try and do without

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
		return watchWord(uintptr(a), int32(b))
	case nrUnwatchWord:
		return unwatchWord(uintptr(a))
	case nrStats:
		return readStats(a)
	case nrSetFile:
		return setFile(a, b, d, e)
	}
	return unknownCall(nr)
}

// Numbers that package syscall does not have.
const (
	sysTimerCreate   = 222
	sysTimerSettime  = 223
	sysTimerDelete   = 226
	sysRenameat2     = 316
	sysGetcpu        = 309
	sysGetrandom     = 318
	sysMemfdCreate   = 319
	sysCopyFileRange = 326
	sysPreadv2       = 327
	sysPwritev2      = 328
	sysStatx         = 332
	sysSyncfs        = 306
	sysMembarrier    = 324
	sysMlock2        = 325
	sysRseq          = 334
	sysCloseRange    = 436
	sysFaccessat2    = 439
	sysEpollPwait2   = 441
	sysFchmodat2     = 452
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

func loadUser32(addr uint64) (v uint32, ok bool) {
	ok = copyBytes(uintptr(unsafe.Pointer(&v)), uintptr(addr), 4)
	return v, ok
}

func loadUser64(addr uint64) (v uint64, ok bool) {
	ok = copyBytes(uintptr(unsafe.Pointer(&v)), uintptr(addr), 8)
	return v, ok
}

func storeUser32(addr uint64, v uint32) bool {
	return copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&v)), 4)
}

func storeUser64(addr uint64, v uint64) bool {
	return copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&v)), 8)
}
