package unix

import "syscall"

// fail is the result of a call that ends with e; 0 is success.
func fail(e syscall.Errno) int { return -int(e) }

// Call makes system call nr on socket index with the arguments as the program
// passed them, and returns its result or a negated errno. accept and accept4
// return the index of a socket. It never waits: EAGAIN means that Kernel.Notify
// will be called when trying again is worth it; waits says that the caller then
// does so.
func Call(nr uintptr, index int, waits bool, a *[6]uintptr) int {
	current.waits = waits
	i := int32(index) + 1
	s := at(i)
	switch nr {
	case syscall.SYS_READ:
		return s.receive(i, plain(a[1], a[2], 0))
	case syscall.SYS_WRITE:
		return s.send(i, plain(a[1], a[2], 0))
	case syscall.SYS_READV, syscall.SYS_WRITEV:
		m := plain(0, 0, 0)
		var e syscall.Errno
		if m.total, e = m.data.setArray(a[1], a[2]); e != 0 {
			return fail(e)
		}
		if nr == syscall.SYS_READV {
			return s.receive(i, m)
		}
		return s.send(i, m)
	case syscall.SYS_RECVFROM:
		m := plain(a[1], a[2], a[3])
		m.name, m.nameSizeAt = a[4], a[5]
		return s.receive(i, m)
	case syscall.SYS_SENDTO:
		m := plain(a[1], a[2], a[3])
		m.name, m.nameSize = a[4], a[5]
		return s.send(i, m)
	case syscall.SYS_RECVMSG:
		m, e := loadMessage(a[1], a[2])
		if e != 0 {
			return fail(e)
		}
		return s.receive(i, m)
	case syscall.SYS_SENDMSG:
		m, e := loadMessage(a[1], a[2])
		if e != 0 {
			return fail(e)
		}
		return s.send(i, m)
	case syscall.SYS_RECVMMSG:
		return s.receiveMany(i, a[1], a[2], a[3])
	case sysSendmmsg:
		return s.sendMany(i, a[1], a[2], a[3])
	case syscall.SYS_BIND:
		return fail(s.bind(i, a[1], a[2]))
	case syscall.SYS_LISTEN:
		return fail(s.listen(i, a[1]))
	case syscall.SYS_CONNECT:
		return fail(s.connect(i, a[1], a[2]))
	case syscall.SYS_ACCEPT, syscall.SYS_ACCEPT4:
		return s.accept(i, a[1], a[2])
	case syscall.SYS_SHUTDOWN:
		return fail(s.shutdown(i, a[1]))
	case syscall.SYS_GETSOCKNAME:
		return fail(storeName(s.ownName(), a[1], a[2]))
	case syscall.SYS_GETPEERNAME:
		return fail(s.peerName(a[1], a[2]))
	case syscall.SYS_SETSOCKOPT:
		return fail(s.setOption(a[1], a[2], a[3], a[4]))
	case syscall.SYS_GETSOCKOPT:
		return fail(s.getOption(a[1], a[2], a[3], a[4]))
	case syscall.SYS_IOCTL:
		return s.ioctl(a[1], a[2])
	}
	return fail(syscall.ENOSYS)
}

// ioctl knows SIOCINQ and SIOCOUTQ (unix(7)).
func (s *socket) ioctl(request, addr uintptr) int {
	n := uint32(0)
	switch request {
	case syscall.TIOCINQ:
		if s.state == listening {
			return fail(eINVAL)
		}
		n = s.queued()
	case syscall.TIOCOUTQ:
		if s.peer != 0 {
			n = at(s.peer).queued()
		}
	default:
		return fail(syscall.ENOTTY)
	}
	if !store32(addr, n) {
		return fail(eFAULT)
	}
	return 0
}

// queued is how many bytes a stream has to receive, or the next packet has.
func (s *socket) queued() (n uint32) {
	if !s.stream() {
		if s.first != 0 {
			n = pageAt(s.first).size
		}
		return n
	}
	for addr := s.first; addr != 0; addr = pageAt(addr).next {
		n += pageAt(addr).end - pageAt(addr).start
	}
	return n
}
