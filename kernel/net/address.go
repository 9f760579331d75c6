package net

import (
	"sync/atomic"
	"syscall"

	"nuos/kernel"
)

// Addresses, and how they pass between the two halves of a socket and to and from
// the program. Handler context, except where it says otherwise.

// address is an IP address and port. All addresses have the form of IPv6, in
// network byte order from hi's top on, IPv4 ones as ::ffff:a.b.c.d (RFC 4291,
// section 2.5.5.2). The zero value is [::]:0.
type address struct {
	hi, lo uint64
	port   uint16
	zone   uint16 // of a link-local address: the interface
}

const mapped = 0xffff << 32 // lo of ::ffff:0.0.0.0

func from4(a, b, c, d byte, port uint16) address {
	return address{lo: mapped | uint64(a)<<24 | uint64(b)<<16 | uint64(c)<<8 | uint64(d), port: port}
}

func (a address) is4() bool { return a.hi == 0 && a.lo>>32 == 0xffff }

// unspecified reports whether a is 0.0.0.0 or ::, of any port.
func (a address) unspecified() bool { return a.hi == 0 && (a.lo == 0 || a.lo == mapped) }

func (a address) loopback() bool {
	return a.hi == 0 && (a.lo == 1 || a.lo>>24 == mapped>>24|127)
}

// destination is where Linux sends what is for a: the unspecified address is this
// machine. Either context.
func (a address) destination() address {
	switch {
	case !a.unspecified():
	case a.is4():
		a.lo |= 127<<24 | 1
	default:
		a.lo = 1
	}
	return a
}

// published is an address that one side stores and the other loads, whenever they
// want. Neither waits: who stores fills the copy that is not in use.
type published struct {
	n      atomic.Uint32 // stores; copies[n%2] is in use
	copies [2][3]atomic.Uint64
}

// store is for one goroutine at a time, or for who has just allocated the socket.
func (p *published) store(a address) {
	n := p.n.Load() + 1
	c := &p.copies[n%2]
	c[0].Store(a.hi)
	c[1].Store(a.lo)
	c[2].Store(uint64(a.port) | uint64(a.zone)<<16)
	p.n.Store(n)
}

// load goes round again only when there was a store meanwhile. Either context.
func (p *published) load() (a address) {
	for {
		n := p.n.Load()
		c := &p.copies[n%2]
		a.hi, a.lo = c[0].Load(), c[1].Load()
		w := c[2].Load()
		a.port, a.zone = uint16(w), uint16(w>>16)
		if p.n.Load() == n {
			return a
		}
	}
}

// Sizes of struct sockaddr_in and sockaddr_in6; Linux takes the latter without its
// last field, the zone.
const (
	sockaddr4Size  = 16
	sockaddr6Size  = 28
	sockaddr6Least = 24
)

// sockaddrAt reads an address of s's family. It returns an errno, 0 for success.
func (s *socket) sockaddrAt(addr, size uintptr) (a address, e syscall.Errno) {
	if size < sockaddr4Size || size > 1<<16 {
		return a, syscall.EINVAL
	}
	var b [sockaddr6Size]byte
	if !kernel.CopyIn(b[:min(size, sockaddr6Size)], addr) {
		return a, syscall.EFAULT
	}
	family := uint16(b[0]) | uint16(b[1])<<8
	port := uint16(b[2])<<8 | uint16(b[3])
	switch {
	case family == syscall.AF_INET && (!s.v6 || s.options[optV6Only].Load() == 0 && !s.stream):
		// Linux's datagram sockets of IPv6 send to these too.
		return from4(b[4], b[5], b[6], b[7], port), 0
	case family != syscall.AF_INET6 || !s.v6:
		return a, syscall.EAFNOSUPPORT
	case size < sockaddr6Least:
		return a, syscall.EINVAL
	}
	a = address{hi: bigEndian(b[8:]), lo: bigEndian(b[16:]), port: port}
	if a.hi>>54 == 0xfe80>>6 || a.hi>>48&0xff0f == 0xff02 {
		a.zone = uint16(b[24]) | uint16(b[25])<<8 // link-local
	}
	return a, 0
}

func bigEndian(b []byte) (v uint64) {
	for _, x := range b[:8] {
		v = v<<8 | uint64(x)
	}
	return v
}

// putSockaddr stores a at addr, in the form of s's family. The room there is the
// 32-bit word at sizeAt, which then says how long the address is, as
// getsockname(2) does: what does not fit is cut off. A zero addr asks for nothing.
func (s *socket) putSockaddr(a address, addr, sizeAt uintptr) syscall.Errno {
	if addr == 0 {
		return 0
	}
	room, ok := wordAt(sizeAt)
	if !ok {
		return syscall.EFAULT
	}
	if int32(room) < 0 {
		return syscall.EINVAL
	}
	b, size := s.sockaddr(a)
	if !kernel.CopyOut(addr, b[:min(room, size)]) || !putWord(sizeAt, size) {
		return syscall.EFAULT
	}
	return 0
}

func (s *socket) sockaddr(a address) (b [sockaddr6Size]byte, size uint32) {
	b[2], b[3] = byte(a.port>>8), byte(a.port)
	switch {
	case s.netlink:
		b = [sockaddr6Size]byte{syscall.AF_NETLINK}
		putUint32(b[4:], uint32(a.port))
		return b, syscall.SizeofSockaddrNetlink
	case !s.v6:
		b[0] = syscall.AF_INET
		putBigEndian(b[4:8], a.lo<<32)
		return b, sockaddr4Size
	}
	b[0] = syscall.AF_INET6
	putBigEndian(b[8:16], a.hi)
	putBigEndian(b[16:24], a.lo)
	b[24], b[25] = byte(a.zone), byte(a.zone>>8)
	return b, sockaddr6Size
}

// putBigEndian fills b with the top bytes of v.
func putBigEndian(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
}
