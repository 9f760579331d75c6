package unix

import "syscall"

// listen is listen(2).
func (s *socket) listen(i int32, backlog uintptr) syscall.Errno {
	const most = 4096 // SOMAXCONN
	switch {
	case !s.connects():
		return syscall.EOPNOTSUPP
	case s.nameLen == 0 || s.state == connected:
		return eINVAL
	}
	s.state = listening
	s.backlog = int32(min(uint32(backlog), most))
	s.wake(i)
	return 0
}

// connect is connect(2).
func (s *socket) connect(i int32, addr, size uintptr) syscall.Errno {
	if !s.connects() && size >= 2 {
		if family, ok := load32(addr); ok && family&0xffff == syscall.AF_UNSPEC {
			s.disconnect(i)
			return 0
		}
	}
	if e := loadName(addr, size); e != 0 {
		return e
	}
	other, e := s.findName()
	if e != 0 {
		return e
	}
	o := at(other)
	if o.kind != s.kind {
		return syscall.EPROTOTYPE
	}
	if !s.connects() {
		if o.peer != 0 && o.peer != i {
			return syscall.EPERM // it listens to its own peer only
		}
		if s.peer != other {
			s.disconnect(i)
			s.link(other)
		}
		kernel.Notify(int(i-1), syscall.EPOLLOUT)
		return 0
	}
	switch {
	case o.state != listening || o.shutIn:
		return syscall.ECONNREFUSED
	case o.waiting > o.backlog: // one more than was asked for, as in Linux
		o.starved, s.wants = true, other
		return eAGAIN
	case s.state == connected:
		return syscall.EISCONN
	case s.state != unconnected:
		return eINVAL
	}
	n := allocate(s.kind)
	if n == 0 {
		return syscall.ENOMEM
	}
	a := at(n)
	a.name, a.nameLen = o.name, o.nameLen
	a.state, s.state = connected, connected
	a.passCred = o.passCred
	a.link(i)
	s.link(n)
	if o.firstNew == 0 {
		o.firstNew = n
	} else {
		at(o.newest).nextNew = n
	}
	o.newest = n
	o.waiting++
	kernel.Notify(int(other-1), syscall.EPOLLIN)
	kernel.Notify(int(i-1), syscall.EPOLLOUT)
	return 0
}

// disconnect parts datagram socket i from its peer, if it has one. What is queued
// is lost, which a peer that lives is told.
func (s *socket) disconnect(i int32) {
	old := s.peer
	if old == 0 {
		return
	}
	s.peer = 0 // first of all, so that a socket that was its own peer is told nothing
	if s.first != 0 {
		if p := at(old); p.state != closed && p.peer == i {
			p.pendingError = syscall.ECONNRESET
			kernel.Notify(int(old-1), syscall.EPOLLERR)
		}
		discard(s)
		s.wake(i)
	}
	release(old)
}

// accept is accept(2); it returns the index of a socket.
func (s *socket) accept(i int32, addr, sizeAt uintptr) int {
	switch {
	case !s.connects():
		return fail(syscall.EOPNOTSUPP)
	case s.state != listening || s.shutIn && s.firstNew == 0 && current.waits:
		return fail(eINVAL)
	case s.firstNew == 0:
		return fail(eAGAIN)
	}
	n := s.firstNew
	a := at(n)
	name := []byte(nil)
	if a.peer != 0 {
		name = at(a.peer).ownName()
	}
	if e := storeName(name, addr, sizeAt); e != 0 {
		return fail(e)
	}
	s.firstNew = a.nextNew
	s.waiting--
	s.wake(i)
	return int(n - 1)
}

// shutdown is shutdown(2). What one end does not receive, the other cannot send.
func (s *socket) shutdown(i int32, how uintptr) syscall.Errno {
	if how > syscall.SHUT_RDWR {
		return eINVAL
	}
	in, out := how != syscall.SHUT_WR, how != syscall.SHUT_RD
	s.shutIn = s.shutIn || in
	s.shutOut = s.shutOut || out
	events := uint32(syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | syscall.EPOLLHUP)
	if s.connects() && s.peer != 0 {
		p := at(s.peer)
		p.shutIn = p.shutIn || out
		p.shutOut = p.shutOut || in
		kernel.Notify(int(s.peer-1), events)
	}
	kernel.Notify(int(i-1), events)
	s.wake(i)
	return 0
}

func (s *socket) peerName(addr, sizeAt uintptr) syscall.Errno {
	if s.peer == 0 {
		return syscall.ENOTCONN
	}
	return storeName(at(s.peer).ownName(), addr, sizeAt)
}
