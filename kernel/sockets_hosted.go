//go:build !metal

package kernel

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Hosted, the program's sockets are Linux's and nothing here is used, except
// that the socket code itself is tested natively: this file is the kernel's
// side of the contract in sockets.go with goroutines in the place of threads.

var hosted struct {
	sockets atomic.Pointer[Sockets]
	token   atomic.Uint64
	waiting sync.Map // Token -> chan int
	ready   [MaxSockets]atomic.Uint32
	edges   [MaxSockets]atomic.Uint32

	mu sync.Mutex // handler context: one call at a time
}

// SetSockets plugs the socket calls in. Goroutine context, once.
func SetSockets(s *Sockets) { hosted.sockets.Store(s) }

// Invoke makes a system call as a program would and returns its result or a
// negated errno, waiting as long as the call does. It exists only hosted.
func Invoke(nr uintptr, sock int, nonblock bool, args ...uintptr) int {
	c := &Call{Nr: nr, Sock: sock, Nonblock: nonblock, Token: Token(hosted.token.Add(1))}
	copy(c.Args[:], args)
	done := make(chan int, 1)
	hosted.waiting.Store(c.Token, done)
	defer hosted.waiting.Delete(c.Token)
	for {
		hosted.mu.Lock()
		r := hosted.sockets.Load().Call(c)
		hosted.mu.Unlock()
		if r == Wait {
			r = <-done
		}
		if r != Again {
			return r
		}
		c.Token = Token(hosted.token.Add(1))
		hosted.waiting.Store(c.Token, done)
	}
}

// Ready returns what SetReady and ClearReady left of a socket's readiness, and
// how many times SetReady was called for it. It exists only hosted.
func Ready(sock int) (mask uint32, edges uint32) {
	return hosted.ready[sock].Load(), hosted.edges[sock].Load()
}

// CompleteCall ends a call that returned Wait. Either context.
func CompleteCall(t Token, result int) {
	if c, ok := hosted.waiting.LoadAndDelete(t); ok {
		c.(chan int) <- result
	}
}

// SetReady adds bits of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP and EPOLLERR to
// a socket's readiness. Every call is one event to an edge-triggered epoll,
// also when the bits were set before. Either context.
func SetReady(sock int, mask uint32) {
	hosted.ready[sock].Or(mask)
	hosted.edges[sock].Add(1)
}

// ClearReady takes bits away. Either context.
func ClearReady(sock int, mask uint32) { hosted.ready[sock].And(^mask) }

// SignalEvent adds one to an eventfd, which wakes the goroutine that is parked
// on it. Either context.
func SignalEvent(fd int) {
	one := uint64(1)
	syscall.Write(fd, (*[8]byte)(unsafe.Pointer(&one))[:])
}

// CopyIn fills dst from the program's memory at addr and reports whether all
// of it was readable. Handler context.
func CopyIn(dst []byte, addr uintptr) bool { return touch(dst, addr, false) }

// CopyOut writes src to the program's memory at addr and reports whether all of
// it was writable. Handler context.
func CopyOut(addr uintptr, src []byte) bool { return touch(src, addr, true) }

// touch copies between b and the memory at addr. Linux says which memory there
// is: a fault becomes a panic here and ends the copy.
func touch(b []byte, addr uintptr, out bool) (ok bool) {
	if len(b) == 0 {
		return true
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { ok = recover() == nil }()
	memory := unsafe.Slice((*byte)(hostPointer(addr)), len(b))
	if out {
		copy(memory, b)
	} else {
		copy(b, memory)
	}
	return true
}

// hostPointer turns a system call argument back into the pointer it was. The
// caller of Invoke keeps the memory alive, as for a real system call. Inlined,
// go1.26.8 fails to compile a copy of fixed size from an address made this way.
//
//go:noinline
func hostPointer(addr uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

// SetFile makes data readable as the file path, in the place of one of that
// name in the boot archive; /etc/resolv.conf is written this way. Hosted, files
// are Linux's and it does nothing. Goroutine context.
func SetFile(path string, data []byte) {}
