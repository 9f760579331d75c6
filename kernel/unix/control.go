package unix

import "syscall"

// Control messages (cmsg(3)): a header of 8 bytes of length, header included, 4 of
// level and 4 of type, then data, padded to 8 bytes.
const controlHeader = 16

func padded(n uintptr) uintptr { return (n + 7) &^ 7 }

// loadControl reads the control messages of a send. The files they name are held
// by m from then on.
func (m *message) loadControl() syscall.Errno {
	at, left := m.control, m.controlSize
	for left >= controlHeader {
		if !load(at, controlHeader) {
			return eFAULT
		}
		size, level, typ := uintptr(scratch64(0)), scratch32(8), scratch32(12)
		if size < controlHeader || size > left {
			return eINVAL
		}
		if level == syscall.SOL_SOCKET {
			var e syscall.Errno
			switch typ {
			case syscall.SCM_RIGHTS:
				e = m.loadRights(at+controlHeader, (size-controlHeader)/4)
			case syscall.SCM_CREDENTIALS:
				e = m.loadCredentials(at+controlHeader, size-controlHeader)
			default:
				e = eINVAL
			}
			if e != 0 {
				return e
			}
		}
		step := min(padded(size), left)
		at += step
		left -= step
	}
	return 0
}

func (m *message) loadRights(addr, n uintptr) syscall.Errno {
	if uintptr(m.rights)+n > maxRights {
		return eINVAL
	}
	for k := range n {
		fd, ok := load32(addr + 4*k)
		if !ok {
			return eFAULT
		}
		file, e := kernel.Hold(int32(fd))
		if e != 0 {
			return e
		}
		m.files[m.rights] = file
		m.rights++
	}
	return 0
}

// loadCredentials believes what a sender says of itself, as it is root, but not
// that it is a process that does not exist.
func (m *message) loadCredentials(addr, size uintptr) syscall.Errno {
	if size != 12 {
		return eINVAL
	}
	if !load(addr, 12) {
		return eFAULT
	}
	c := credentials{scratch32(0), scratch32(4), scratch32(8)}
	switch {
	case c.pid != 1:
		return syscall.ESRCH
	case c.uid == 1<<32-1 || c.gid == 1<<32-1:
		return eINVAL
	}
	m.from = c
	return 0
}

// storeControl gives the receiver what came with p, its credentials only if wanted.
// Without peek the files are the receiver's from then on.
func (m *message) storeControl(p *page, wanted, peek bool) syscall.Errno {
	if wanted {
		if !m.putHeader(12, syscall.SCM_CREDENTIALS) {
			m.outFlags |= syscall.MSG_CTRUNC
		} else {
			at := m.control + m.controlUsed + controlHeader
			if !store32(at, p.from.pid) || !store32(at+4, p.from.uid) || !store32(at+8, p.from.gid) {
				return eFAULT
			}
			m.controlUsed = min(m.controlUsed+padded(controlHeader+12), m.controlSize)
		}
	}
	if p.rights == 0 {
		return 0
	}
	room := uintptr(0)
	if left := m.controlSize - m.controlUsed; left > controlHeader {
		room = (left - controlHeader) / 4
	}
	n := uintptr(0)
	at := m.control + m.controlUsed + controlHeader
	for n < min(room, uintptr(p.rights)) {
		fd := kernel.Install(*p.file(uint32(n)), m.flags&syscall.MSG_CMSG_CLOEXEC != 0)
		if fd < 0 || !store32(at+4*n, uint32(fd)) {
			break
		}
		n++
	}
	if n < uintptr(p.rights) {
		m.outFlags |= syscall.MSG_CTRUNC
	}
	if !peek {
		for k := range p.rights {
			kernel.Release(*p.file(k))
		}
		p.rights = 0
	}
	if n > 0 {
		if !m.putHeader(4*n, syscall.SCM_RIGHTS) {
			return eFAULT
		}
		m.controlUsed = min(m.controlUsed+padded(controlHeader+4*n), m.controlSize)
	}
	return 0
}

// putHeader stores the header of a control message with n bytes of data, if there
// is room for both.
func (m *message) putHeader(n uintptr, typ uint32) bool {
	if m.controlSize-m.controlUsed < controlHeader+n {
		return false
	}
	at := m.control + m.controlUsed
	return store64(at, uint64(controlHeader+n)) && store32(at+8, syscall.SOL_SOCKET) && store32(at+12, typ)
}
