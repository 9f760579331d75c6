//go:build metal

package kernel

import (
	"sync/atomic"
	"syscall"
)

// The kernel's side of the contract in sockets.go.

var (
	// socketTable is kept alive here for the collector; handlers use its Call.
	socketTable atomic.Pointer[Sockets]
	socketFile  [MaxSockets]int32 // file and 1, by socket index
	lastToken   Token
)

// SetSockets plugs the socket calls in. Goroutine context, once.
func SetSockets(s *Sockets) { socketTable.Store(s) }

// CompleteCall ends a call that returned Wait. Either context.
func CompleteCall(t Token, result int) {
	if inHandler() {
		completeCall(t, result)
		return
	}
	syscall.RawSyscall(nrCompleteCall, uintptr(t), uintptr(result), 0)
}

// SetReady adds bits of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP and EPOLLERR to
// a socket's readiness. Every call is one event to an edge-triggered epoll,
// also when the bits were set before. Either context.
func SetReady(sock int, mask uint32) {
	if inHandler() {
		setReady(sock, mask)
		return
	}
	syscall.RawSyscall(nrSetReady, uintptr(sock), uintptr(mask), 0)
}

// ClearReady takes bits away. Either context.
func ClearReady(sock int, mask uint32) {
	if inHandler() {
		clearReady(sock, mask)
		return
	}
	syscall.RawSyscall(nrClearReady, uintptr(sock), uintptr(mask), 0)
}

// SignalEvent adds one to an eventfd, which wakes the goroutine that is parked
// on it. Either context.
func SignalEvent(fd int) {
	if inHandler() {
		signalEvent(int32(fd))
		return
	}
	syscall.RawSyscall(nrSignalEvent, uintptr(fd), 0, 0)
}

// socketReady is the readiness of each socket, also of one that has no file yet
// because accept4 is on its way to return it.
var socketReady [MaxSockets]uint32

func setReady(sock int, mask uint32) {
	if sock < 0 || sock >= MaxSockets {
		return
	}
	socketReady[sock] |= mask
	if i := socketFile[sock]; i != 0 {
		notify(&files[i-1], mask)
	}
}

func clearReady(sock int, mask uint32) {
	if sock >= 0 && sock < MaxSockets {
		socketReady[sock] &^= mask
	}
}

// socketArgs is the call that kernel/net looks at. It is static because the
// compiler has to assume that a function value keeps what it is given; one is
// enough, as calls are made with the kernel's lock held.
var socketArgs Call

// socketCall makes a call on a socket of any family. All but AF_UNIX are
// kernel/net's.
func (c *cpu) socketCall(t *thread, nr uint64) uint64 {
	if nr == syscall.SYS_SOCKET {
		if t.di == syscall.AF_UNIX {
			return newUnix(t.si, t.dx)
		}
	} else if f := openFile(int32(t.di)); f == nil {
		return errno(eBADF)
	} else if to := f.timeoutOption(t.si, t.dx); to != nil && nr == syscall.SYS_SETSOCKOPT {
		return setSocketTimeout(to, t.r10, t.r8)
	} else if to != nil && nr == syscall.SYS_GETSOCKOPT {
		return getSocketTimeout(*to, t.r10, t.r8)
	} else if f.kind == fileUnix {
		return c.unixCall(t, f, nr)
	}
	s := socketTable.Load()
	if s == nil {
		if nr == syscall.SYS_SOCKET {
			return errno(syscall.EAFNOSUPPORT) // the image has no network
		}
		return errno(syscall.ENOTSOCK)
	}
	call := &socketArgs
	*call = Call{Nr: uintptr(nr), Sock: -1}
	call.Args = [6]uintptr{uintptr(t.di), uintptr(t.si), uintptr(t.dx), uintptr(t.r10), uintptr(t.r8), uintptr(t.r9)}
	switch nr {
	case syscall.SYS_SOCKET:
		call.Nonblock = t.si&syscall.SOCK_NONBLOCK != 0
	default:
		f := fileOf(int32(t.di))
		if f == nil {
			return errno(eBADF)
		}
		if f.kind != fileSocket {
			return errno(syscall.ENOTSOCK)
		}
		call.Sock = int(f.object)
		call.Nonblock = f.flags&syscall.O_NONBLOCK != 0
	}
	call.Token = newToken(t.tid)
	r := s.Call(call)
	switch {
	case r == Wait:
		t.token = call.Token
		c.block(t, waitCall, 0)
		return blocked
	case r == -int(eAGAIN) && nr != syscall.SYS_SOCKET && t.messageFlags(nr)&syscall.MSG_DONTWAIT == 0:
		if f := fileOf(int32(t.di)); f.flags&syscall.O_NONBLOCK == 0 {
			return c.waitSocket(t, f, nr) // SetReady wakes it
		}
	case r == -int(syscall.EPIPE):
		t.brokenPipe(nr)
	}
	return c.socketResult(t, nr, r)
}

// socketResult turns a new socket's index into a descriptor.
func (c *cpu) socketResult(t *thread, nr uint64, r int) uint64 {
	if r < 0 || nr != syscall.SYS_SOCKET && nr != syscall.SYS_ACCEPT4 && nr != syscall.SYS_ACCEPT {
		return uint64(r)
	}
	flags := t.acceptFlags(nr)
	if nr == syscall.SYS_SOCKET {
		flags = t.si
	}
	if r >= MaxSockets {
		kernelPanic("a socket index is out of range")
	}
	fd := newObject(fileSocket, int32(r), uint32(flags&(syscall.O_NONBLOCK|syscall.O_CLOEXEC))|syscall.O_RDWR)
	if int64(fd) < 0 {
		socketArgs = Call{Nr: syscall.SYS_CLOSE, Sock: r}
		socketTable.Load().Call(&socketArgs)
		return fd
	}
	socketFile[r] = fds[fd]
	return fd
}

// closeSocket is called when the last descriptor of a socket is closed.
func (c *cpu) closeSocket(t *thread, f *file) {
	socketFile[f.object] = 0
	socketReady[f.object] = 0
	socketArgs = Call{Nr: syscall.SYS_CLOSE, Sock: int(f.object)}
	socketTable.Load().Call(&socketArgs)
}

// newToken names a call of thread tid: the number of the call, with that of the
// thread in the low bits.
func newToken(tid int32) Token {
	lastToken++
	return lastToken*maxThreads + Token(tid)
}

// completeCall ends the wait of the call that token names.
func completeCall(token Token, result int) {
	t := threadAt(int32(token % maxThreads))
	if t == nil || t.token != token || !t.task.Claim() {
		return
	}
	t.token = 0 // no call has that
	if result == Again {
		t.ax, t.retry = t.nr, true
	} else {
		t.ax = thisCPU().socketResult(t, t.nr, result)
	}
	unblock(t)
}
