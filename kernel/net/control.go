package net

import (
	"syscall"

	"nuos/kernel"
)

// Control messages (cmsg(3)) say of a received datagram what its socket has asked
// for with options of ip(7) and ipv6(7), and of one to be sent what is to differ from
// the socket's options. Handler context.

const (
	cmsgHeader  = 16 // length, header included; level; type
	largestCmsg = cmsgHeader + syscall.SizeofInet6Pktinfo
	maxControl  = 20480 // a Linux default of net.core.optmem_max
)

// control is the program's memory for control messages. What is said of used,
// truncated and bad is of those received.
type control struct {
	at, room, used uintptr
	truncated      bool // not all found room
	bad            bool // the memory could not be written
}

// put adds a message with the bytes that b has after its header.
func (c *control) put(level, typ uint32, b []byte) {
	left := c.room - c.used
	if c.at == 0 || left < cmsgHeader {
		c.truncated = true
		return
	}
	n := uintptr(len(b))
	if n > left {
		n, c.truncated = left, true
	}
	clear(b[:cmsgHeader])
	putUint32(b, uint32(n))
	putUint32(b[8:], level)
	putUint32(b[12:], typ)
	if !kernel.CopyOut(c.at+c.used, b[:n]) {
		c.bad = true
		return
	}
	c.used += min((n+7)&^7, left)
}

// putRecord adds what s wants to know of r, in Linux's order.
func (c *control) putRecord(s *socket, r *record) {
	var b [largestCmsg]byte
	data := b[cmsgHeader:]
	four := r.remote.is4()
	if s.options[optReceiveInfo6].Load() != 0 {
		putBigEndian(data[0:8], r.local.hi)
		putBigEndian(data[8:16], r.local.lo)
		putUint32(data[16:], uint32(r.local.zone))
		c.put(syscall.IPPROTO_IPV6, syscall.IPV6_PKTINFO, b[:cmsgHeader+syscall.SizeofInet6Pktinfo])
	}
	if four && s.options[optReceiveInfo].Load() != 0 {
		putUint32(data[0:], uint32(r.local.zone))
		putBigEndian(data[4:8], uint64(r.answers)<<32)
		putBigEndian(data[8:12], r.local.lo<<32)
		c.put(syscall.IPPROTO_IP, syscall.IP_PKTINFO, b[:cmsgHeader+syscall.SizeofInet4Pktinfo])
	}
	if four && s.options[optReceiveTTL].Load() != 0 {
		putUint32(data, uint32(r.ttl))
		c.put(syscall.IPPROTO_IP, syscall.IP_TTL, b[:cmsgHeader+4])
	}
	if four && s.options[optReceiveTOS].Load() != 0 {
		data[0] = r.tos
		c.put(syscall.IPPROTO_IP, syscall.IP_TOS, b[:cmsgHeader+1])
	}
	if !four && s.options[optReceiveHops].Load() != 0 {
		putUint32(data, uint32(r.ttl))
		c.put(syscall.IPPROTO_IPV6, syscall.IPV6_HOPLIMIT, b[:cmsgHeader+4])
	}
	if !four && s.options[optReceiveClass].Load() != 0 {
		putUint32(data, uint32(r.tos))
		c.put(syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS, b[:cmsgHeader+4])
	}
}

// load sets in r, which is for a peer of IPv4 or not, what the messages say.
func (c *control) load(s *socket, r *record, four bool) syscall.Errno {
	if c.room > maxControl {
		return syscall.ENOBUFS
	}
	for at, left := c.at, c.room; left >= cmsgHeader; {
		var b [largestCmsg]byte
		if !kernel.CopyIn(b[:cmsgHeader], at) {
			return syscall.EFAULT
		}
		n := longAt(b[:])
		if n < cmsgHeader || n > left {
			return syscall.EINVAL
		}
		if !kernel.CopyIn(b[cmsgHeader:min(n, largestCmsg)], at+cmsgHeader) {
			return syscall.EFAULT
		}
		if e := r.set(s, &b, n-cmsgHeader, four); e != 0 {
			return e
		}
		step := min((n+7)&^7, left)
		at += step
		left -= step
	}
	return 0
}

// set does so for one message with size bytes of data. As in Linux, those of other
// protocols count for nothing.
func (r *record) set(s *socket, b *[largestCmsg]byte, size uintptr, four bool) syscall.Errno {
	level, typ, data := b[8], b[12], b[cmsgHeader:]
	word := int32(uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24)
	if b[9]|b[10]|b[11] != 0 {
		return 0
	}
	if b[13]|b[14]|b[15] != 0 {
		typ = 0
	}
	switch {
	case level == syscall.IPPROTO_IP && four:
		switch {
		case typ == syscall.IP_PKTINFO && size == syscall.SizeofInet4Pktinfo:
			r.local = from4(data[4], data[5], data[6], data[7], 0)
			r.local.zone = uint16(word)
		case typ == syscall.IP_TTL && size == 4 && word >= 1 && word <= 255:
			r.ttl, r.hasTTL = uint8(word), true
		case typ == syscall.IP_TOS && size == 1:
			r.tos, r.hasTOS = data[0], true
		case typ == syscall.IP_TOS && size == 4 && word >= 0 && word <= 255:
			r.tos, r.hasTOS = uint8(word), true
		default:
			return syscall.EINVAL
		}
	case level == syscall.IPPROTO_IPV6 && s.v6 && typ == syscall.IPV6_PKTINFO:
		a := address{hi: bigEndian(data), lo: bigEndian(data[8:]), zone: uint16(data[16]) | uint16(data[17])<<8}
		if size < syscall.SizeofInet6Pktinfo || four != a.is4() && !(a.unspecified() && !four) {
			return syscall.EINVAL
		}
		r.local = a
	case level == syscall.IPPROTO_IPV6 && s.v6 && !four:
		if size != 4 || word < -1 || word > 255 {
			return syscall.EINVAL
		}
		switch typ {
		case syscall.IPV6_HOPLIMIT:
			r.ttl, r.hasTTL = uint8(word), word >= 0
		case syscall.IPV6_TCLASS:
			r.tos, r.hasTOS = uint8(word), word >= 0
		default:
			return syscall.EINVAL
		}
	case level == syscall.SOL_SOCKET && (typ == syscall.SCM_RIGHTS || typ == syscall.SCM_CREDENTIALS):
	case level == syscall.SOL_SOCKET || level == syscall.IPPROTO_UDP:
		return syscall.EINVAL
	}
	return 0
}
