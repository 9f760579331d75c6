package net

import (
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"

	"nuos/kernel"
)

// Membership in multicast groups: options whose setting waits for gVisor, as it may
// fail. Handler context, except where it says otherwise.

// setMembership is setsockopt for IP_ADD_MEMBERSHIP and the like; done is false if
// the option is none of these.
func (s *socket) setMembership(i int, level, name, addr, size uintptr, t kernel.Token) (result int, done bool) {
	if s.stream || s.netlink {
		return 0, false
	}
	op := uint32(opJoin)
	switch {
	case level == syscall.IPPROTO_IP && name == syscall.IP_MULTICAST_IF:
		return s.setMulticastIf(i, addr, size, t), true
	case name == mcastJoinGroup || name == mcastLeaveGroup:
		if level != syscall.IPPROTO_IP && (level != syscall.IPPROTO_IPV6 || !s.v6) {
			return 0, false
		}
		return s.setGroup(i, name == mcastJoinGroup, level, addr, size, t), true
	case level == syscall.IPPROTO_IP && name == syscall.IP_ADD_MEMBERSHIP:
	case level == syscall.IPPROTO_IP && name == syscall.IP_DROP_MEMBERSHIP:
		op = opLeave
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_JOIN_GROUP && s.v6:
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_LEAVE_GROUP && s.v6:
		op = opLeave
	default:
		return 0, false
	}
	// struct ip_mreq is the group and an interface's address; struct ip_mreqn
	// has the interface's index too. struct ipv6_mreq is the group and an index.
	var b [syscall.SizeofIPv6Mreq]byte
	least := uintptr(syscall.SizeofIPMreq)
	if level == syscall.IPPROTO_IPV6 {
		least = syscall.SizeofIPv6Mreq
	}
	if size < least {
		return fail(syscall.EINVAL), true
	}
	if !kernel.CopyIn(b[:min(size, uintptr(len(b)))], addr) {
		return fail(syscall.EFAULT), true
	}
	if level == syscall.IPPROTO_IPV6 {
		group := address{hi: bigEndian(b[:]), lo: bigEndian(b[8:]), zone: uint16(b[16]) | uint16(b[17])<<8}
		return s.ask(i, op, group, 0, t), true
	}
	group := from4(b[0], b[1], b[2], b[3], 0)
	if size >= syscall.SizeofIPMreqn {
		group.zone = uint16(b[8]) | uint16(b[9])<<8
	}
	return s.ask(i, op, group, uint64(b[4])<<24|uint64(b[5])<<16|uint64(b[6])<<8|uint64(b[7]), t), true
}

// Options of protocol-independent multicast (RFC 3678, section 5), of which those that
// name sources are not there.
const (
	mcastJoinGroup  = 42
	mcastLeaveGroup = 45
	groupReqSize    = 136 // struct group_req: an interface and, 8 bytes on, a struct sockaddr_storage
)

// setGroup is setsockopt for these.
func (s *socket) setGroup(i int, join bool, level, addr, size uintptr, t kernel.Token) int {
	var b [8 + sockaddr6Size]byte
	if size < groupReqSize {
		return fail(syscall.EINVAL)
	}
	if !kernel.CopyIn(b[:], addr) {
		return fail(syscall.EFAULT)
	}
	op := uint32(opLeave)
	if join {
		op = opJoin
	}
	index, group := uint16(b[0])|uint16(b[1])<<8, b[8:]
	switch family := uintptr(group[0]) | uintptr(group[1])<<8; {
	case family == syscall.AF_INET && level == syscall.IPPROTO_IP:
		a := from4(group[4], group[5], group[6], group[7], 0)
		a.zone = index
		return s.ask(i, op, a, 0, t)
	case family == syscall.AF_INET6 && level == syscall.IPPROTO_IPV6:
		return s.ask(i, op, address{hi: bigEndian(group[8:]), lo: bigEndian(group[16:]), zone: index}, 0, t)
	}
	return fail(syscall.EADDRNOTAVAIL)
}

// setMulticastIf is setsockopt of IP_MULTICAST_IF: an address of the interface, or a
// struct ip_mreq or ip_mreqn whose group is of no account.
func (s *socket) setMulticastIf(i int, addr, size uintptr, t kernel.Token) int {
	var b [syscall.SizeofIPMreqn]byte
	if size < 4 {
		return fail(syscall.EINVAL)
	}
	if !kernel.CopyIn(b[:min(size, uintptr(len(b)))], addr) {
		return fail(syscall.EFAULT)
	}
	from := b[:]
	if size >= syscall.SizeofIPMreq {
		from = b[4:]
	}
	a := from4(from[0], from[1], from[2], from[3], 0)
	if size >= syscall.SizeofIPMreqn {
		a.zone = uint16(b[8]) | uint16(b[9])<<8
	}
	return s.ask(i, opMulticastIf, a, 0, t)
}

// multicastFrom makes the interface that the request names the one that multicast
// datagrams leave by. Goroutine context.
func (e *end) multicastFrom() syscall.Errno {
	a := e.s.req.address
	if uint32(a.lo) == 1<<32-1 {
		return syscall.EADDRNOTAVAIL // gVisor takes 255.255.255.255 for every interface's
	}
	o := tcpip.MulticastInterfaceOption{NIC: tcpip.NICID(a.zone), InterfaceAddr: a.full(false).Addr}
	err := e.ep.SetSockOpt(&o)
	if err == nil {
		e.s.multicastIf.Store(uint32(a.lo))
	}
	return errno(err)
}

// member joins or leaves the group that the request names. Goroutine context.
func (e *end) member(join bool) syscall.Errno {
	group := e.s.req.address
	m := tcpip.MembershipOption{NIC: tcpip.NICID(group.zone), MulticastAddr: group.full(!group.is4()).Addr}
	if a := uint32(e.s.req.arg); a != 0 {
		m.InterfaceAddr = tcpip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
	}
	var o tcpip.SettableSocketOption
	if join {
		a := tcpip.AddMembershipOption(m)
		o = &a
	} else {
		r := tcpip.RemoveMembershipOption(m)
		o = &r
	}
	switch err := e.ep.SetSockOpt(o); err.(type) {
	case *tcpip.ErrUnknownDevice, *tcpip.ErrHostUnreachable:
		return syscall.ENODEV
	case *tcpip.ErrPortInUse:
		return syscall.EADDRINUSE
	case *tcpip.ErrBadLocalAddress:
		return syscall.EADDRNOTAVAIL
	default:
		return errno(err)
	}
}
