package net

import (
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Raw sockets (raw(7)), which get and send whole packets of a protocol, and ping sockets
// (icmp(7)), which do so with echo requests and their answers. They are datagram sockets
// without ports: as in Linux, a raw socket's own address has its protocol in the place
// of one, and what a program says is of no account. Handler context, except where it says otherwise.

const (
	ipprotoRaw = 255
	maxProto   = 255
)

// datagramProtocol is the protocol of a socket of type SOCK_DGRAM or, raw, SOCK_RAW.
func datagramProtocol(v6, raw bool, protocol uintptr) (uint8, syscall.Errno) {
	ping := uintptr(syscall.IPPROTO_ICMP)
	if v6 {
		ping = syscall.IPPROTO_ICMPV6
	}
	switch {
	case protocol > maxProto:
		return 0, syscall.EINVAL
	case protocol == ping || protocol == syscall.IPPROTO_UDP:
		return uint8(protocol), 0
	case !raw && protocol == 0:
		return syscall.IPPROTO_UDP, 0
	case raw && (protocol == syscall.IPPROTO_TCP || protocol == ipprotoRaw):
		return uint8(protocol), 0
	case raw:
		for k := range spokenByPrograms {
			if uintptr(spokenByPrograms[k]) == protocol {
				return uint8(protocol), 0
			}
		}
	}
	return 0, syscall.EPROTONOSUPPORT
}

// portless reports whether addresses of s have no ports. Either context.
func (s *socket) portless() bool {
	return !s.stream && !s.netlink && (s.raw || s.protocol != syscall.IPPROTO_UDP)
}

// unnamedPort stands for the port in addresses of such sockets, since an address
// without a port is none.
func (s *socket) unnamedPort() uint16 { return uint16(s.protocol) }

// filterWords is how many words the option has that is the filter of a raw socket of
// ICMP, 0 for other options: a bit for each type of message that the socket does not
// want, in one word (raw(7), ICMP_FILTER), or of ICMPv6 in eight (RFC 3542, section 3.2).
func (s *socket) filterWords(level, name uintptr) int {
	const solRaw, icmpFilter, icmp6Filter = 255, 1, 1
	switch {
	case !s.raw:
	case level == solRaw && name == icmpFilter && s.protocol == syscall.IPPROTO_ICMP:
		return 1
	case level == syscall.IPPROTO_ICMPV6 && name == icmp6Filter && s.protocol == syscall.IPPROTO_ICMPV6:
		return len(s.filter)
	}
	return 0
}

// setFilter sets as many words as size has.
func (s *socket) setFilter(words int, addr, size uintptr) int {
	for k := range min(words, int(min(size, 1<<10)/4)) {
		w, ok := wordAt(addr + 4*uintptr(k))
		if !ok {
			return fail(syscall.EFAULT)
		}
		s.filter[k].Store(w)
	}
	return 0
}

// getFilter stores as many words as there is room for.
func (s *socket) getFilter(words int, addr, sizeAt uintptr, room uint32) int {
	n := min(uint32(words), room/4)
	for k := range n {
		if !putWord(addr+4*uintptr(k), s.filter[k].Load()) {
			return fail(syscall.EFAULT)
		}
	}
	if !putWord(sizeAt, 4*n) {
		return fail(syscall.EFAULT)
	}
	return 0
}

// unwanted reports whether the socket's filter keeps out the packet at pos of the
// receiving ring. Goroutine context.
func (s *socket) unwanted(pos, size uint32) bool {
	if !s.raw || s.protocol != syscall.IPPROTO_ICMP && s.protocol != syscall.IPPROTO_ICMPV6 {
		return false
	}
	var b [1]byte
	if s.protocol == syscall.IPPROTO_ICMP { // behind the header of IPv4
		if size < header.IPv4MinimumSize {
			return false
		}
		s.rx.get(pos, b[:])
		skip := uint32(b[0]&15) * 4
		pos, size = pos+skip, size-min(skip, size)
	}
	if size == 0 {
		return false
	}
	s.rx.get(pos, b[:])
	if s.protocol == syscall.IPPROTO_ICMP && b[0] >= 32 {
		return false
	}
	return s.filter[b[0]/32].Load()>>(b[0]%32)&1 != 0
}
