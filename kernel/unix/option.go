package unix

import "syscall"

// Options that mean nothing to these sockets but are kept, as bits of flags.
const (
	flagReuseAddr = 1 << iota
	flagBroadcast
	flagKeepAlive
	flagReusePort
)

// Numbers that package syscall does not have (asm-generic/socket.h).
const (
	soReusePort = 15
	soProtocol  = 38
	soDomain    = 39
)

func flagOf(name uintptr) uint8 {
	switch name {
	case syscall.SO_REUSEADDR:
		return flagReuseAddr
	case syscall.SO_BROADCAST:
		return flagBroadcast
	case syscall.SO_KEEPALIVE:
		return flagKeepAlive
	case soReusePort:
		return flagReusePort
	}
	return 0
}

// setOption is setsockopt(2).
func (s *socket) setOption(level, name, addr, size uintptr) syscall.Errno {
	if level != syscall.SOL_SOCKET {
		return syscall.EOPNOTSUPP
	}
	if size < 4 {
		return eINVAL
	}
	v, ok := load32(addr)
	if !ok {
		return eFAULT
	}
	const least, most = 2304, 2 * defaultBuffer
	doubled := max(min(int32(min(v, most)), most/2)*2, least) // Linux doubles, for its bookkeeping
	switch name {
	case syscall.SO_PASSCRED:
		s.passCred = v != 0
	case syscall.SO_SNDBUF:
		s.sendBuffer = doubled
	case syscall.SO_RCVBUF:
		s.receiveBuffer = doubled
	default:
		f := flagOf(name)
		if f == 0 {
			return syscall.ENOPROTOOPT
		}
		s.flags &^= f
		if v != 0 {
			s.flags |= f
		}
	}
	return 0
}

// getOption is getsockopt(2).
func (s *socket) getOption(level, name, addr, sizeAt uintptr) syscall.Errno {
	if level != syscall.SOL_SOCKET {
		return syscall.EOPNOTSUPP
	}
	room, ok := load32(sizeAt)
	if !ok {
		return eFAULT
	}
	if int32(room) < 0 {
		return eINVAL
	}
	v := uint32(0)
	switch name {
	case syscall.SO_PEERCRED:
		return s.peerCredentials(room, addr, sizeAt)
	case syscall.SO_TYPE:
		v = uint32(s.kind)
	case soDomain:
		v = syscall.AF_UNIX
	case soProtocol:
	case syscall.SO_ERROR:
		v = uint32(s.takeError())
	case syscall.SO_ACCEPTCONN:
		v = bit(s.state == listening)
	case syscall.SO_PASSCRED:
		v = bit(s.passCred)
	case syscall.SO_SNDBUF:
		v = uint32(s.sendBuffer)
	case syscall.SO_RCVBUF:
		v = uint32(s.receiveBuffer)
	default:
		f := flagOf(name)
		if f == 0 {
			return syscall.ENOPROTOOPT
		}
		v = bit(s.flags&f != 0)
	}
	if size := min(room, 4); !putOption(v, addr, uintptr(size)) || !store32(sizeAt, size) {
		return eFAULT
	}
	return 0
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func putOption(v uint32, addr, size uintptr) bool {
	for k := range 4 {
		scratch[k] = byte(v >> (8 * k))
	}
	return store(addr, size)
}

// peerCredentials is SO_PEERCRED: the other end is this process, and nobody if
// there is none.
func (s *socket) peerCredentials(room uint32, addr, sizeAt uintptr) syscall.Errno {
	pid, id := uint32(1), uint32(0)
	if s.state == unconnected && s.peer == 0 {
		pid, id = 0, 1<<32-1
	}
	for k := range 4 {
		scratch[k] = byte(pid >> (8 * k))
		scratch[4+k] = byte(id >> (8 * k))
		scratch[8+k] = byte(id >> (8 * k))
	}
	if size := min(room, 12); !store(addr, uintptr(size)) || !store32(sizeAt, size) {
		return eFAULT
	}
	return 0
}
