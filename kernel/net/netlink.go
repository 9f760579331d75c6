package net

import (
	"encoding/binary"
	"syscall"

	"nuos/kernel"
)

// A netlink socket (netlink(7)) asks which interfaces and addresses the machine
// has, and nothing else: RTM_GETLINK and RTM_GETADDR with NLM_F_DUMP, which is what
// net.Interfaces and net.InterfaceAddrs use. It is a datagram socket whose answers
// the pump writes (route.go). A send waits until they are there, so that a receive
// does not have to. Handler context.

func openNetlink(typ, protocol uintptr) int {
	switch typ &^ (syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC) {
	case syscall.SOCK_RAW, syscall.SOCK_DGRAM:
	default:
		return fail(syscall.ESOCKTNOSUPPORT)
	}
	if protocol != syscall.NETLINK_ROUTE {
		return fail(syscall.EPROTONOSUPPORT)
	}
	i, ok := allocate(false)
	if !ok {
		return fail(syscall.ENFILE)
	}
	sockets[i].netlink = true
	sockets[i].local.store(address{})
	sockets[i].state.Store(stateOpen)
	return i
}

// bindNetlink gives the socket its address, which is the one the kernel chooses:
// the process's number serves the first socket only.
func (s *socket) bindNetlink(i int) int {
	s.local.store(address{port: uint16(i + 1)})
	attend(i) // the pump brings the rings
	return 0
}

// routeRequest is what is of interest in a struct nlmsghdr.
type routeRequest struct {
	kind uint16 // RTM_...
	seq  uint32
}

func (s *socket) sendNetlink(i int, t *transfer) int {
	var b [syscall.SizeofNlMsghdr]byte
	if t.total < uintptr(len(b)) {
		return fail(syscall.EINVAL)
	}
	if t.data.size < uintptr(len(b)) {
		return fail(syscall.EOPNOTSUPP) // a header in pieces
	}
	if !kernel.CopyIn(b[:], t.data.addr) {
		return fail(syscall.EFAULT)
	}
	if s.local.load().port == 0 {
		s.local.store(address{port: uint16(i + 1)})
	}
	kind, flags := binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:])
	if flags&syscall.NLM_F_DUMP != syscall.NLM_F_DUMP || kind != syscall.RTM_GETLINK && kind != syscall.RTM_GETADDR {
		return fail(syscall.EOPNOTSUPP)
	}
	seq := binary.LittleEndian.Uint32(b[8:])
	return s.ask(i, opRoute, address{}, uint64(t.total)<<48|uint64(seq)<<16|uint64(kind), t.token)
}
