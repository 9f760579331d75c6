package net

import (
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"

	"nuos/kernel"
)

// Membership in multicast groups: options whose setting waits for gVisor, as it may
// fail. Handler context, except for member.

// setMembership is setsockopt for IP_ADD_MEMBERSHIP and the like; done is false if
// the option is none of these.
func (s *socket) setMembership(i int, level, name, addr, size uintptr, t kernel.Token) (result int, done bool) {
	if s.stream || s.netlink {
		return 0, false
	}
	op := uint32(opJoin)
	switch {
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
