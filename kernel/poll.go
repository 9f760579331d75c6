//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// poll(2). A call that has to wait makes an epoll of its own, which
// watches what the call asks for, and is made again with every event. The epoll is the
// thread's (thread.owns) and ends with the call.

// pollfd is struct pollfd.
type pollfd struct {
	fd              int32
	events, revents uint16
}

const (
	pollPriority = 0x2
	pollInvalid  = 0x20
)

// never is the timeout of a call that waits as long as it takes.
const never = -1

// poll is poll(2), with a timeout in ns.
func (c *cpu) poll(t *thread, fds, n uint64, timeout int64) uint64 {
	if n > uint64(openLimit) {
		return errno(eINVAL)
	}
	found := uint64(0)
	for i := range n {
		var p pollfd
		at := fds + i*uint64(unsafe.Sizeof(p))
		if !copyBytes(uintptr(unsafe.Pointer(&p)), uintptr(at), unsafe.Sizeof(p)) {
			return c.endPoll(t, errno(eFAULT))
		}
		p.revents = 0
		if f := openFile(p.fd); f != nil {
			p.revents = uint16(f.readiness() & (uint32(p.events) | epollAlways))
		} else if p.fd >= 0 {
			p.revents = pollInvalid
		}
		if p.revents != 0 {
			found++
		}
		if !copyBytes(uintptr(at), uintptr(unsafe.Pointer(&p)), unsafe.Sizeof(p)) {
			return c.endPoll(t, errno(eFAULT))
		}
	}
	if found > 0 || timeout == 0 || t.expired() {
		return c.endPoll(t, found)
	}
	if t.owns == 0 {
		if e := t.ownEpoll(); e != 0 {
			return errno(e)
		}
		for i := range n {
			var p pollfd
			at := fds + i*uint64(unsafe.Sizeof(p))
			if !copyBytes(uintptr(unsafe.Pointer(&p)), uintptr(at), unsafe.Sizeof(p)) {
				return c.endPoll(t, errno(eFAULT))
			}
			if e := t.watch(p.fd, uint32(p.events)); e != 0 {
				return c.endPoll(t, errno(e))
			}
		}
	}
	return c.awaitEpoll(t, &files[t.owns-1], timeout)
}

// ownEpoll makes the epoll of a call that waits.
func (t *thread) ownEpoll() syscall.Errno {
	i := allocFile(fileEpoll, 0, 0)
	if i < 0 {
		return syscall.ENFILE
	}
	t.owns = i + 1
	return 0
}

// watch has that epoll watch a descriptor.
func (t *thread) watch(fd int32, events uint32) syscall.Errno {
	f := openFile(fd)
	if f == nil {
		return 0
	}
	i := newItem(&files[t.owns-1], f, fd)
	if i == 0 {
		return syscall.ENOMEM
	}
	items[i-1].events = events
	return 0
}

// endPoll ends the epoll of a call that has a result.
func (c *cpu) endPoll(t *thread, result uint64) uint64 {
	c.disown(t)
	return result
}

// left is how much of a timeout is left at the end of a call.
func (t *thread) left(timeout int64) int64 {
	if !t.again || t.deadline == 0 {
		return timeout
	}
	return max(t.deadline-nanotime(), 0)
}

// storeLeft says how much time is left at the end of a call that a signal ends, if it is
// one of those that say so.
func (t *thread) storeLeft() {
	left := max(t.deadline-nanotime(), 0)
	switch {
	case t.deadline == 0:
	case t.nr == syscall.SYS_PPOLL:
		storeTimespec(t.dx, left)
	case t.nr == syscall.SYS_PSELECT6:
		storeTimespec(t.r8, left)
	case t.nr == syscall.SYS_SELECT:
		storeTimeval(t.r8, left)
	}
}

// ppoll is ppoll(2), which says how much time is left.
func (c *cpu) ppoll(t *thread, fds, n, at, mask, size uint64) uint64 {
	timeout, e := loadTimeout(at)
	if e == 0 {
		e = t.swapMask(mask, size)
	}
	if e != 0 {
		return errno(e)
	}
	r := c.poll(t, fds, n, timeout)
	if r != blocked && at != 0 {
		storeTimespec(at, t.left(timeout))
	}
	return r
}

// loadTimeout reads a struct timespec that may be missing.
func loadTimeout(at uint64) (ns int64, e syscall.Errno) {
	if at == 0 {
		return never, 0
	}
	return loadDuration(at)
}

// milliseconds is a timeout of poll(2) or epoll_wait(2).
func milliseconds(ms int32) int64 {
	if ms < 0 {
		return never
	}
	return int64(ms) * 1e6
}
