package net

import (
	"syscall"

	"nuos/kernel"
)

// calls is what SetSockets gets.
var calls = kernel.Sockets{Call: call}

// call executes one system call on a socket. Handler context, as is all that it
// calls except ring and readiness, which both contexts use.
func call(c *kernel.Call) int {
	if c.Nr == syscall.SYS_SOCKET {
		return open(c.Args[0], c.Args[1], c.Args[2])
	}
	if uint(c.Sock) >= maxSockets {
		return fail(syscall.ENOTSOCK)
	}
	i := c.Sock
	s := &sockets[i]
	if st := s.state.Load(); st == stateFree || st == stateClosing {
		return fail(syscall.EBADF)
	}
	switch a := &c.Args; c.Nr {
	case syscall.SYS_READ:
		return s.receive(i, &transfer{data: onePiece(a[1], a[2]), total: a[2]})
	case syscall.SYS_WRITE:
		return s.send(i, &transfer{data: onePiece(a[1], a[2]), total: a[2], token: c.Token})
	case syscall.SYS_READV:
		return s.vector(i, a[1], a[2], false, c.Token)
	case syscall.SYS_WRITEV:
		return s.vector(i, a[1], a[2], true, c.Token)
	case syscall.SYS_RECVFROM:
		return s.receive(i, &transfer{data: onePiece(a[1], a[2]), total: a[2], flags: a[3], name: a[4], nameSizeAt: a[5]})
	case syscall.SYS_SENDTO:
		return s.send(i, &transfer{data: onePiece(a[1], a[2]), total: a[2], flags: a[3], name: a[4], nameSize: a[5], token: c.Token})
	case syscall.SYS_RECVMSG:
		return s.receiveMessage(i, a[1], a[2])
	case syscall.SYS_SENDMSG:
		n, _ := s.sendMessage(i, a[1], a[2], c.Token)
		return n
	case syscall.SYS_RECVMMSG:
		return s.receiveMany(i, a[1], a[2], a[3])
	case kernel.SysSendmmsg:
		return s.sendMany(i, a[1], a[2], a[3])
	case syscall.SYS_ACCEPT, syscall.SYS_ACCEPT4:
		return s.accept(i, a[1], a[2])
	case syscall.SYS_BIND:
		return s.bind(i, a[1], a[2], c.Token)
	case syscall.SYS_LISTEN:
		return s.listen(i, a[1], c.Token)
	case syscall.SYS_CONNECT:
		return s.connect(i, a[1], a[2], c.Nonblock, c.Token)
	case syscall.SYS_SHUTDOWN:
		return s.shutdown(i, a[1])
	case syscall.SYS_GETSOCKNAME:
		return fail(s.putSockaddr(s.local.load(), a[1], a[2]))
	case syscall.SYS_GETPEERNAME:
		peer := s.peer.load()
		if peer.port == 0 || s.portless() || s.state.Load() != stateReady {
			return fail(syscall.ENOTCONN)
		}
		return fail(s.putSockaddr(peer, a[1], a[2]))
	case syscall.SYS_GETSOCKOPT:
		return s.getOption(i, a[1], a[2], a[3], a[4], c.Token)
	case syscall.SYS_SETSOCKOPT:
		return s.setOption(i, a[1], a[2], a[3], a[4], c.Token)
	case syscall.SYS_POLL:
		return s.poll(i)
	case syscall.SYS_IOCTL:
		return s.ioctl(a[1], a[2])
	case syscall.SYS_CLOSE:
		s.state.Store(stateClosing)
		attend(i)
		return 0
	}
	return fail(syscall.ENOSYS)
}

// fail is the result of a call that ends with e; 0 is success.
func fail(e syscall.Errno) int { return -int(e) }

const ipprotoMPTCP = 262

func open(domain, typ, protocol uintptr) int {
	switch domain {
	case syscall.AF_INET, syscall.AF_INET6:
	case syscall.AF_NETLINK:
		return openNetlink(typ, protocol)
	default:
		return fail(syscall.EAFNOSUPPORT)
	}
	stream, raw, datagrams := false, false, uint8(0)
	switch typ &^ (syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC) {
	case syscall.SOCK_STREAM:
		stream = true
		if protocol != 0 && protocol != syscall.IPPROTO_TCP {
			return fail(syscall.EPROTONOSUPPORT) // MPTCP too, which Go tries first
		}
	case syscall.SOCK_DGRAM, syscall.SOCK_RAW:
		raw = typ&syscall.SOCK_RAW == syscall.SOCK_RAW
		var e syscall.Errno
		if datagrams, e = datagramProtocol(domain == syscall.AF_INET6, raw, protocol); e != 0 {
			return fail(e)
		}
	default:
		return fail(syscall.ESOCKTNOSUPPORT)
	}
	i, ok := allocate(stream)
	if !ok {
		return fail(syscall.ENFILE)
	}
	s := &sockets[i]
	s.raw, s.protocol = raw, datagrams
	local := from4(0, 0, 0, 0, 0)
	if domain == syscall.AF_INET6 {
		s.v6 = true
		local = address{}
	}
	if raw {
		local.port = uint16(datagrams)
		s.options[optReuseAddr].Store(1) // as in Linux
		if datagrams == ipprotoRaw {
			s.options[optHeaderIncluded].Store(1)
		}
	}
	s.local.store(local)
	s.state.Store(stateOpen)
	kernel.SetReady(i, epollOut)
	if stream {
		kernel.SetReady(i, epollHup) // until it is connected or listens
	}
	return i
}

// Calls that wait for the pump, by req.op.
const (
	opNone = iota
	opBind
	opListen
	opConnect
	opJoin        // a multicast group
	opLeave       // one
	opRoute       // of a netlink socket: a request
	opInfo        // about a connection
	opMulticastIf // the interface for multicast
)

// ask leaves a request with the pump.
func (s *socket) ask(i int, op uint32, a address, arg uint64, t kernel.Token) int {
	switch {
	case t == 0:
		return fail(syscall.EINVAL) // splice or sendmmsg to a netlink socket
	case s.req.op.Load() != opNone:
		return fail(syscall.EALREADY)
	}
	s.req.address, s.req.arg, s.req.token = a, arg, t
	s.req.op.Store(op)
	attend(i)
	return kernel.Wait
}

func (s *socket) bind(i int, addr, size uintptr, t kernel.Token) int {
	if s.netlink {
		return s.bindNetlink(i)
	}
	a, e := s.sockaddrAt(addr, size)
	if e != 0 {
		return fail(e)
	}
	if s.state.Load() != stateOpen && s.stream {
		return fail(syscall.EINVAL)
	}
	if s.raw {
		a.port = 0
	}
	return s.ask(i, opBind, a, 0, t)
}

func (s *socket) listen(i int, backlog uintptr, t kernel.Token) int {
	if !s.stream {
		return fail(syscall.EOPNOTSUPP)
	}
	if st := s.state.Load(); st != stateOpen && st != stateListening {
		return fail(syscall.EINVAL)
	}
	if s.state.Load() == stateOpen {
		kernel.ClearReady(i, ^uint32(0))
	}
	return s.ask(i, opListen, address{}, uint64(min(uint32(backlog), kernel.MaxBacklog)), t)
}

// connect of a stream that the program does not want to wait for is EINPROGRESS;
// of another one EAGAIN, upon which the kernel makes the call again.
func (s *socket) connect(i int, addr, size uintptr, nonblock bool, t kernel.Token) int {
	if s.netlink {
		return fail(syscall.EOPNOTSUPP)
	}
	a, e := s.sockaddrAt(addr, size)
	if e != 0 {
		return fail(e)
	}
	if !s.stream {
		if s.portless() {
			a.port = s.unnamedPort()
		}
		return s.ask(i, opConnect, a, 0, t)
	}
	switch s.state.Load() {
	case stateOpen:
	case stateConnecting:
		if s.awaited {
			return fail(syscall.EAGAIN)
		}
		return fail(syscall.EALREADY)
	case stateFailed:
		return s.takeError(syscall.ECONNABORTED)
	default:
		if s.awaited {
			s.awaited = false
			return 0
		}
		return fail(syscall.EISCONN)
	}
	if s.req.op.Load() != opNone {
		return fail(syscall.EALREADY)
	}
	s.req.address = a
	kernel.ClearReady(i, ^uint32(0))
	s.state.Store(stateConnecting)
	attend(i)
	if s.awaited = !nonblock; s.awaited {
		return fail(syscall.EAGAIN)
	}
	return fail(syscall.EINPROGRESS)
}

// takeError fetches SO_ERROR for a call to return, or without one other.
func (s *socket) takeError(other syscall.Errno) int {
	if e := s.err.Swap(0); e != 0 {
		return -int(e)
	}
	return fail(other)
}

func (s *socket) shutdown(i int, how uintptr) int {
	if how > syscall.SHUT_RDWR {
		return fail(syscall.EINVAL)
	}
	if st := s.state.Load(); st != stateReady && !(st == stateListening && how != syscall.SHUT_WR) || s.peer.load().port == 0 && st != stateListening {
		return fail(syscall.ENOTCONN)
	}
	if how != syscall.SHUT_WR {
		s.inShut.Store(true)
		kernel.SetReady(i, epollIn|epollRdHup)
	}
	if how != syscall.SHUT_RD {
		s.outShut.Store(true)
		kernel.SetReady(i, epollOut)
	}
	attend(i)
	return 0
}

func (s *socket) ioctl(request, arg uintptr) int {
	const fionread, tiocoutq = 0x541b, 0x5411
	if request>>8 == siocgif>>8 && !s.netlink {
		return interfaceCall(request, arg)
	}
	var n uint32
	switch {
	case s.state.Load() != stateReady:
		return fail(syscall.EINVAL)
	case request == fionread && s.stream:
		n = s.rx.used()
	case request == fionread:
		n = s.nextDatagram()
	case request == tiocoutq:
		n = s.tx.used()
	default:
		return fail(syscall.ENOTTY)
	}
	if !putWord(arg, n) {
		return fail(syscall.EFAULT)
	}
	return 0
}
