package unix

import "syscall"

// Flags that are understood or make no difference; MSG_OOB is not among them.
const goodFlags = syscall.MSG_PEEK | syscall.MSG_TRUNC | syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL | syscall.MSG_WAITALL |
	syscall.MSG_CMSG_CLOEXEC | syscall.MSG_CTRUNC | syscall.MSG_EOR | msgMore
const msgMore = 0x8000

// send sends m and returns how many bytes of it.
func (s *socket) send(i int32, m *message) int {
	if m.flags&^goodFlags != 0 {
		return fail(syscall.EOPNOTSUPP)
	}
	e := m.loadControl()
	n := 0
	switch {
	case e != 0:
		n = fail(e)
	case s.stream():
		n = s.sendStream(i, m)
	default:
		n = s.sendPacket(i, m)
	}
	m.drop() // what no message has taken along
	return n
}

func (s *socket) sendStream(i int32, m *message) int {
	switch {
	case m.name != 0 && m.nameSize != 0 && s.state == connected:
		return fail(syscall.EISCONN)
	case m.name != 0 && m.nameSize != 0:
		return fail(syscall.EOPNOTSUPP)
	case s.state != connected:
		return fail(syscall.ENOTCONN)
	case s.shutOut:
		return fail(syscall.EPIPE)
	}
	other := s.peer
	o := at(other)
	if m.total > 0 && o.shutIn { // it was before it connected
		return fail(syscall.EPIPE)
	}
	done := uintptr(0)
	for done < m.total {
		addr, e := s.streamPage(i, o, m)
		if e != 0 {
			if done == 0 {
				return fail(e)
			}
			break
		}
		p := pageAt(addr)
		want := min(m.total-done, uintptr(PageSize-p.end))
		k := m.data.move(addr+uintptr(p.end), want, true)
		p.end += uint32(k)
		done += k
		if k < want {
			if p.start == p.end {
				o.popLast(addr)
			}
			if done == 0 {
				return fail(eFAULT)
			}
			break
		}
	}
	if done > 0 {
		kernel.Notify(int(other-1), syscall.EPOLLIN)
	}
	return int(done)
}

// streamPage returns a page of o's queue that the next bytes of m belong in.
func (s *socket) streamPage(i int32, o *socket, m *message) (uintptr, syscall.Errno) {
	if o.first != 0 && m.rights == 0 {
		if p := pageAt(o.last); p.end < PageSize && p.rights == 0 && p.sender == i && p.from == m.from {
			return o.last, 0
		}
	}
	if o.pages >= s.room() {
		o.starved = true
		return 0, eAGAIN
	}
	addr, ok := newPage(i, m)
	if !ok {
		return 0, syscall.ENOBUFS
	}
	m.rights = 0 // they are the page's now
	o.push(addr, 1)
	return addr, 0
}

// popLast takes the page that was pushed last off again, as nothing could be
// copied to it.
func (s *socket) popLast(addr uintptr) {
	if s.first == addr {
		s.first = 0
	} else {
		for q := s.first; ; q = pageAt(q).next {
			if pageAt(q).next == addr {
				pageAt(q).next, s.last = 0, q
				break
			}
		}
	}
	s.messages--
	s.pages -= free(addr)
}

// target is the socket that a packet is for.
func (s *socket) target(named bool) (int32, syscall.Errno) {
	if named {
		return s.findName()
	}
	return s.peer, 0
}

// sendPacket sends a datagram, or a packet on a connection, where a name counts
// for nothing. Which of several errors counts is as in Linux.
func (s *socket) sendPacket(i int32, m *message) int {
	named := false
	switch {
	case s.connects() && s.pendingError != 0:
		return fail(s.takeError())
	case s.connects() && s.state != connected:
		return fail(syscall.ENOTCONN)
	case !s.connects() && m.name != 0 && m.nameSize != 0:
		if e := loadName(m.name, m.nameSize); e != 0 {
			return fail(e)
		}
		named = true
	}
	switch {
	case m.total > uintptr(s.sendBuffer)-32:
		return fail(syscall.EMSGSIZE)
	case s.pendingError != 0:
		return fail(s.takeError())
	case s.shutOut:
		return fail(syscall.EPIPE)
	case !named && s.peer == 0:
		return fail(syscall.ENOTCONN)
	}
	other, e := s.target(named)
	if e != 0 {
		return fail(e)
	}
	o := at(other)
	switch {
	case o.kind != s.kind:
		return fail(syscall.EPROTOTYPE)
	case !s.connects() && o.peer != 0 && o.peer != i:
		return fail(syscall.EPERM)
	case !s.connects() && o.state == closed:
		if s.peer == other {
			s.disconnect(i)
		}
		return fail(syscall.ECONNREFUSED)
	case o.shutIn:
		return fail(syscall.EPIPE)
	}
	need := int32(m.total/(PageSize-pageHeader)) + 1
	if o.pages > 0 && o.pages+need > s.room() || o.crowded(i) {
		o.starved, s.wants = true, other
		return fail(eAGAIN)
	}
	addr, n, e := packet(i, m)
	if e != 0 {
		return fail(e)
	}
	o.push(addr, n)
	kernel.Notify(int(other-1), syscall.EPOLLIN)
	return int(m.total)
}

// packet makes a message of socket i out of m and returns its first page and how many they are.
func packet(i int32, m *message) (first uintptr, n int32, e syscall.Errno) {
	first, ok := newPage(i, m)
	if !ok {
		return 0, 0, syscall.ENOBUFS
	}
	head := pageAt(first)
	head.size = uint32(m.total)
	for addr, left := first, m.total; ; n++ {
		p := pageAt(addr)
		want := min(left, uintptr(PageSize-p.end))
		k := m.data.move(addr+uintptr(p.end), want, true)
		p.end += uint32(k)
		if k < want {
			freePages(first) // the files are still m's
			return 0, 0, eFAULT
		}
		if left -= k; left == 0 {
			m.rights = 0
			return first, n + 1, 0
		}
		if addr, ok = kernel.Alloc(); !ok {
			freePages(first)
			return 0, 0, syscall.ENOBUFS
		}
		p.more = addr
		pageAt(addr).start, pageAt(addr).end = pageHeader, pageHeader
	}
}

func (s *socket) takeError() syscall.Errno {
	e := s.pendingError
	s.pendingError = 0
	return e
}
