package unix

import "syscall"

// receive receives into m and returns how many bytes.
func (s *socket) receive(i int32, m *message) int {
	if m.flags&^goodFlags != 0 {
		return fail(syscall.EOPNOTSUPP)
	}
	switch {
	case s.stream() && s.state != connected:
		return fail(eINVAL)
	case s.connects() && s.state != connected:
		return fail(syscall.ENOTCONN)
	case s.first != 0 && (s.stream() || s.pendingError == 0):
	case s.pendingError != 0:
		return fail(s.takeError())
	case s.shutIn && (s.connects() || m.waits):
		return s.nothing(m)
	default:
		return fail(eAGAIN)
	}
	if s.stream() {
		return s.receiveStream(i, m)
	}
	return s.receivePacket(i, m)
}

// nothing is the end of what will ever be received.
func (s *socket) nothing(m *message) int {
	if m.name != 0 && !store32(m.nameSizeAt, 0) || !m.finish() {
		return fail(eFAULT)
	}
	return 0
}

// storeSender says whom p came from: nothing at all if that has no name.
func (m *message) storeSender(p *page) syscall.Errno {
	if name := p.name(); len(name) != 0 {
		return storeName(name, m.name, m.nameSizeAt)
	}
	if m.name != 0 && !store32(m.nameSizeAt, 0) {
		return eFAULT
	}
	return 0
}

func (s *socket) receiveStream(i int32, m *message) int {
	peek := m.flags&syscall.MSG_PEEK != 0
	if e := m.storeSender(pageAt(s.first)); e != 0 {
		return fail(e)
	}
	done, bad := uintptr(0), syscall.Errno(0)
	from, any := credentials{}, false
	for addr := s.first; addr != 0 && done < m.total; {
		p := pageAt(addr)
		if any && s.passCred && p.from != from {
			break
		}
		k := m.data.move(addr+uintptr(p.start), min(m.total-done, uintptr(p.end-p.start)), false)
		if k == 0 {
			bad = eFAULT
			break
		}
		done += k
		carried := p.rights != 0
		if carried || s.passCred && !any {
			if bad = m.storeControl(p, s.passCred && !any, peek); bad != 0 {
				break
			}
		}
		from, any = p.from, true
		next := p.next
		if !peek {
			if p.start += uint32(k); p.start == p.end {
				s.pop()
			}
		}
		if carried {
			break // the next bytes did not come with these files
		}
		addr = next
	}
	if done == 0 && bad != 0 {
		return fail(bad)
	}
	if !peek {
		s.drained(i)
	}
	if !m.finish() {
		return fail(eFAULT)
	}
	return int(done)
}

func (s *socket) receivePacket(i int32, m *message) int {
	addr := s.first
	head := pageAt(addr)
	if e := m.storeSender(head); e != 0 {
		return fail(e)
	}
	size := uintptr(head.size)
	want := min(m.total, size)
	done := uintptr(0)
	for a := addr; done < want; a = pageAt(a).more {
		p := pageAt(a)
		part := min(want-done, uintptr(p.end-p.start))
		k := m.data.move(a+uintptr(p.start), part, false)
		done += k
		if k < part {
			return fail(eFAULT)
		}
	}
	peek := m.flags&syscall.MSG_PEEK != 0
	if e := m.storeControl(head, s.passCred, peek); e != 0 {
		return fail(e)
	}
	if done < size {
		m.outFlags |= syscall.MSG_TRUNC
	}
	if !peek {
		s.pop()
		s.drained(i)
	}
	if !m.finish() {
		return fail(eFAULT)
	}
	if m.flags&syscall.MSG_TRUNC != 0 {
		return int(size)
	}
	return int(done)
}

// drained tells those who wait for room if there is enough of it again. What is
// enough differs with their SO_SNDBUF; who finds it too little waits again.
func (s *socket) drained(i int32) {
	if s.starved && s.messages <= MaxQueue && (s.pages*2 <= defaultBuffer/PageSize || s.first == 0) {
		s.wake(i)
	}
}
