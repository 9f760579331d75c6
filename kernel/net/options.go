package net

import (
	"math/bits"
	"syscall"

	"nuos/kernel"
)

// findOption returns the option that s has by that name, or -1.
func (s *socket) findOption(level, name uintptr) int {
	if s.netlink && level != syscall.SOL_SOCKET || level == syscall.IPPROTO_IPV6 && !s.v6 {
		return -1
	}
	for o := range optionTable {
		t := &optionTable[o]
		if uintptr(t.level) == level && uintptr(t.name) == name && t.has&s.kind() != 0 {
			return o
		}
	}
	return -1
}

// setOption is setsockopt. Handler context.
func (s *socket) setOption(i int, level, name, addr, size uintptr, token kernel.Token) int {
	if r, done := s.setMembership(i, level, name, addr, size, token); done {
		return r
	}
	if n := s.filterWords(level, name); n > 0 {
		return s.setFilter(n, addr, size)
	}
	if level == syscall.SOL_SOCKET && name == soSndBufForce {
		name = syscall.SO_SNDBUF
	}
	if level == syscall.SOL_SOCKET && name == soRcvBufForce {
		name = syscall.SO_RCVBUF
	}
	o := s.findOption(level, name)
	if o < 0 {
		if _, ok := wordAt(addr); !ok && (level == syscall.SOL_SOCKET || level == syscall.IPPROTO_IP) {
			return fail(syscall.EFAULT) // as Linux, which looks at the value first
		}
		return fail(syscall.ENOPROTOOPT)
	}
	v, e := s.loadOption(o, addr, size)
	if e == 0 {
		v, e = s.legal(o, v)
	}
	if e != 0 {
		return fail(e)
	}
	s.options[o].Store(v)
	s.changed.Or(1 << o)
	attend(i)
	return 0
}

// loadOption reads the value of an option.
func (s *socket) loadOption(o int, addr, size uintptr) (v int32, e syscall.Errno) {
	switch {
	case o == optDevice || o == optCongestion:
		return loadName(o, addr, size)
	case size < 4 || o == optLinger && size < 8:
		return 0, syscall.EINVAL
	}
	w, ok := wordAt(addr)
	if v = int32(w); ok && o == optLinger {
		seconds, ok2 := wordAt(addr + 4)
		ok = ok2
		if v != 0 {
			v = int32(min(seconds, maxInt))
		} else {
			v = -1
		}
	}
	if !ok {
		return 0, syscall.EFAULT
	}
	return v, 0
}

// legal is what Linux makes of the value v.
func (s *socket) legal(o int, v int32) (int32, syscall.Errno) {
	t := &optionTable[o]
	if t.min == 0 && t.max == 1 && v != 0 && o != optMulticastLoop6 {
		v = 1
	}
	switch o {
	case optSndBuf, optRcvBuf:
		// Linux doubles the value, for its bookkeeping, and reports that.
		v = max(min(v, maxBuffer/2), 2048) * 2
	case optTrafficClass:
		if v == -1 {
			v = t.initial
		}
		if s.stream && v >= 0 && v <= t.max {
			v &^= 3
		}
	case optTTL, optHops, optMulticastHops, optMulticastTTL:
		if v == -1 {
			v = t.initial
		}
	case optTOS:
		if v &= 0xff; s.stream {
			v &^= 3 // which are the stack's (RFC 3168)
		}
	case optFastOpen:
		v = min(v, t.max)
	case optChecksum:
		if s.protocol == syscall.IPPROTO_ICMPV6 || v > 0 && v%2 != 0 {
			return 0, syscall.EINVAL // ICMPv6 has it in one place (RFC 3542, section 3.1)
		}
		v = max(v, -1)
	case optDeferAccept:
		v = deferred(v)
	case optFinTimeout:
		if v = max(min(v, maxFinTimeout), -1); v == 0 {
			v = t.initial
		}
	case optMulticastIf6:
		if v != 0 && interfaceAt(uint32(v)) == nil {
			return 0, syscall.ENODEV
		}
	}
	if v < t.min || v > t.max {
		return 0, syscall.EINVAL
	}
	return v, 0
}

// deferred is how many seconds TCP_DEFER_ACCEPT means: Linux counts in repeated answers
// to the first segment, which come after 1, 2, 4 and so on seconds.
func deferred(seconds int32) int32 {
	if seconds <= 0 {
		return 0
	}
	total, wait := int32(1), int32(1)
	for n := 1; total < seconds && n < 255 && total < 1<<20; n++ {
		wait = min(2*wait, 120)
		total += wait
	}
	return total
}

// getOption is getsockopt. Handler context.
func (s *socket) getOption(i int, level, name, addr, sizeAt uintptr, token kernel.Token) int {
	room, ok := wordAt(sizeAt)
	if !ok {
		return fail(syscall.EFAULT)
	}
	if int32(room) < 0 {
		return fail(syscall.EINVAL)
	}
	if n := s.filterWords(level, name); n > 0 {
		return s.getFilter(n, addr, sizeAt, room)
	}
	if level == syscall.IPPROTO_TCP && name == syscall.TCP_INFO && s.stream {
		return s.tcpInfo(i, addr, sizeAt, room, token)
	}
	var b [8]byte
	size, v := uint32(4), uint32(0)
	if o := s.findOption(level, name); o == optDevice || o == optCongestion {
		return putName(o, int(s.options[o].Load()), addr, sizeAt, room)
	} else if o >= 0 {
		v = uint32(s.options[o].Load())
		if o == optLinger {
			size = 8
			seconds := v
			v = 1
			if int32(seconds) < 0 {
				v, seconds = 0, 0
			}
			putUint32(b[4:], seconds)
		}
	} else if v, ok = s.property(level, name); !ok {
		own := level == syscall.SOL_SOCKET || level == syscall.IPPROTO_IP || level == s.protocolLevel()
		if !own && !s.v6 {
			return fail(syscall.EOPNOTSUPP) // but to set it is ENOPROTOOPT
		}
		return fail(syscall.ENOPROTOOPT)
	}
	putUint32(b[:], v)
	size = min(size, room)
	if !kernel.CopyOut(addr, b[:size]) || !putWord(sizeAt, size) {
		return fail(syscall.EFAULT)
	}
	return 0
}

// protocolLevel is the level of options of the socket's protocol, 0 if it has none.
func (s *socket) protocolLevel() uintptr {
	switch {
	case s.stream:
		return syscall.IPPROTO_TCP
	case s.raw || s.netlink:
		return 0
	}
	return uintptr(s.protocol)
}

// property is what getsockopt can ask and setsockopt cannot set.
func (s *socket) property(level, name uintptr) (v uint32, ok bool) {
	const soProtocol, soDomain = 38, 39
	if level == syscall.IPPROTO_IP && name == syscall.IP_HDRINCL {
		return 0, true // of raw sockets it is an option
	}
	if level == syscall.IPPROTO_IP && name == syscall.IP_MULTICAST_IF && s.kind()&datagrams != 0 {
		return bits.ReverseBytes32(s.multicastIf.Load()), true
	}
	if level != syscall.SOL_SOCKET {
		return 0, false
	}
	switch name {
	case syscall.SO_ERROR:
		return s.err.Swap(0), true
	case syscall.SO_ACCEPTCONN:
		if s.state.Load() == stateListening {
			v = 1
		}
		return v, true
	case soDomain:
		switch {
		case s.netlink:
			return syscall.AF_NETLINK, true
		case s.v6:
			return syscall.AF_INET6, true
		}
		return syscall.AF_INET, true
	case syscall.SO_TYPE:
		switch {
		case s.stream:
			return syscall.SOCK_STREAM, true
		case s.netlink || s.raw:
			return syscall.SOCK_RAW, true
		}
		return syscall.SOCK_DGRAM, true
	case soProtocol:
		if s.stream {
			return syscall.IPPROTO_TCP, true
		}
		if s.netlink {
			return syscall.NETLINK_ROUTE, true
		}
		return uint32(s.protocol), true
	}
	return 0, false
}
