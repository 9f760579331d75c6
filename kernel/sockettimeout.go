//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// SO_RCVTIMEO and SO_SNDTIMEO (socket(7)): how long calls on a socket wait that would
// wait for ever. They are the same for all families, and no business of theirs.

// socketTimeouts are those of a file that is a socket, in ms, 0 for none: of calls that
// receive and accept, and of calls that send and connect.
type socketTimeouts struct{ receive, send uint32 }

// timeouts are in the place of file.count, which sockets do not have otherwise: there
// are many files. Both take 8 bytes without pointers, which makes it sound.
func (f *file) timeouts() *socketTimeouts { return (*socketTimeouts)(unsafe.Pointer(&f.count)) }

// Options that on a 64-bit machine are the same as those that package syscall has.
const soReceiveTimeoutNew, soSendTimeoutNew = 66, 67

// timeoutOption is the timeout that an option names, nil if none.
func (f *file) timeoutOption(level, name uint64) *uint32 {
	if level != syscall.SOL_SOCKET || f.kind != fileSocket && f.kind != fileUnix {
		return nil
	}
	switch name {
	case syscall.SO_RCVTIMEO, soReceiveTimeoutNew:
		return &f.timeouts().receive
	case syscall.SO_SNDTIMEO, soSendTimeoutNew:
		return &f.timeouts().send
	}
	return nil
}

const sizeofTimeval = 16

// setSocketTimeout is setsockopt(2) for these. A timeout below nothing is over at once.
func setSocketTimeout(to *uint32, addr, size uint64) uint64 {
	if size < sizeofTimeval {
		return errno(eINVAL)
	}
	sec, ok := loadUser64(addr)
	usec, ok2 := loadUser64(addr + 8)
	switch {
	case !ok || !ok2:
		return errno(eFAULT)
	case usec >= 1e6:
		return errno(syscall.EDOM)
	case int64(sec) < 0:
		*to = 1
	case sec >= 1<<32/1000:
		*to = 0
	default:
		*to = uint32(sec*1000 + (usec+999)/1000)
	}
	return 0
}

// getSocketTimeout is getsockopt(2).
func getSocketTimeout(ms uint32, addr, sizeAt uint64) uint64 {
	room, ok := loadUser32(sizeAt)
	if !ok {
		return errno(eFAULT)
	}
	if int32(room) < 0 {
		return errno(eINVAL)
	}
	var b [sizeofTimeval]byte
	sec, usec := ms/1000, ms%1000*1000
	for k := range 8 {
		b[k], b[8+k] = byte(sec>>(8*k)), byte(usec>>(8*k))
	}
	n := min(room, sizeofTimeval)
	if !CopyOut(uintptr(addr), b[:n]) || !storeUser32(sizeAt, n) {
		return errno(eFAULT)
	}
	return 0
}

// waitSocket has t wait for an event of the socket f, after which the call is made
// again, unless its time is over.
func (c *cpu) waitSocket(t *thread, f *file, nr uint64) uint64 {
	timeout := f.timeouts().receive
	switch nr {
	case syscall.SYS_WRITE, syscall.SYS_WRITEV, syscall.SYS_SENDTO, syscall.SYS_SENDMSG, SysSendmmsg, syscall.SYS_CONNECT:
		timeout = f.timeouts().send
	}
	if timeout == 0 {
		return c.wait(t, f)
	}
	if t.expired() {
		if nr == syscall.SYS_CONNECT {
			return errno(syscall.EINPROGRESS)
		}
		return errno(eAGAIN)
	}
	deadline := t.deadline
	if !t.again || deadline == 0 {
		deadline = after(int64(timeout) * 1e6)
	}
	t.waitOn = uint64(fileIndex(f))
	f.waiters.append(t)
	c.block(t, waitFile, deadline)
	return blocked
}
