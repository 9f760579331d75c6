package net

import (
	"syscall"

	"nuos/kernel"
)

// option is an integer socket option. Setting one stores it in the socket; the
// end hears of it and tells gVisor (endoptions.go).
type option struct {
	level, name       uint16
	stream, datagram  bool // the kinds of socket that have it
	initial, min, max int32
}

const (
	optReuseAddr = iota
	optReusePort
	optBroadcast
	optKeepAlive
	optSndBuf
	optRcvBuf
	optNoDelay
	optCork
	optKeepIdle
	optKeepIntvl
	optKeepCnt
	optMaxSeg
	optSynCnt
	optUserTimeout
	optQuickAck
	optTOS
	optTTL
	optMulticastTTL
	optMulticastLoop
	optV6Only
	optHops
	optTrafficClass
	optMulticastHops
	optMulticastLoop6
	optLinger // seconds, or -1; set as a struct linger

	// What control messages say of a datagram (control.go).
	optReceiveInfo
	optReceiveTTL
	optReceiveTOS
	optReceiveInfo6
	optReceiveHops
	optReceiveClass

	numOptions
)

const _ = uint(32 - numOptions) // socket.changed has a bit for each

const (
	maxInt        = 1<<31 - 1
	defaultBuffer = 128 << 10 // of gVisor's sending and receiving queues, bytes
	maxBuffer     = 2 << 20

	soReusePort    = 15
	tcpUserTimeout = 18
	tcpKeepSeconds = 32767 // the longest interval Linux takes
)

var optionTable = [numOptions]option{
	optReuseAddr:     {syscall.SOL_SOCKET, syscall.SO_REUSEADDR, true, true, 0, 0, maxInt},
	optReusePort:     {syscall.SOL_SOCKET, soReusePort, true, true, 0, 0, maxInt},
	optBroadcast:     {syscall.SOL_SOCKET, syscall.SO_BROADCAST, true, true, 0, 0, maxInt},
	optKeepAlive:     {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, true, true, 0, 0, maxInt},
	optSndBuf:        {syscall.SOL_SOCKET, syscall.SO_SNDBUF, true, true, defaultBuffer, 0, maxInt},
	optRcvBuf:        {syscall.SOL_SOCKET, syscall.SO_RCVBUF, true, true, defaultBuffer, 0, maxInt},
	optNoDelay:       {syscall.IPPROTO_TCP, syscall.TCP_NODELAY, true, false, 0, 0, maxInt},
	optCork:          {syscall.IPPROTO_TCP, syscall.TCP_CORK, true, false, 0, 0, maxInt},
	optKeepIdle:      {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, true, false, 7200, 1, tcpKeepSeconds},
	optKeepIntvl:     {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, true, false, 75, 1, tcpKeepSeconds},
	optKeepCnt:       {syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, true, false, 9, 1, 127},
	optMaxSeg:        {syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, true, false, 536, 88, 32767},
	optSynCnt:        {syscall.IPPROTO_TCP, syscall.TCP_SYNCNT, true, false, 6, 1, 127},
	optUserTimeout:   {syscall.IPPROTO_TCP, tcpUserTimeout, true, false, 0, 0, maxInt},
	optQuickAck:      {syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, true, false, 1, 0, maxInt},
	optTOS:           {syscall.IPPROTO_IP, syscall.IP_TOS, true, true, 0, 0, 255},
	optTTL:           {syscall.IPPROTO_IP, syscall.IP_TTL, true, true, 64, 1, 255},
	optMulticastTTL:  {syscall.IPPROTO_IP, syscall.IP_MULTICAST_TTL, false, true, 1, 0, 255},
	optMulticastLoop: {syscall.IPPROTO_IP, syscall.IP_MULTICAST_LOOP, false, true, 1, 0, maxInt},
	// Those of IPv6 are of its sockets only.
	optV6Only:         {syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, true, true, 0, 0, maxInt},
	optHops:           {syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, true, true, 64, 0, 255},
	optTrafficClass:   {syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS, true, true, 0, 0, 255},
	optMulticastHops:  {syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_HOPS, false, true, 1, 0, 255},
	optMulticastLoop6: {syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_LOOP, false, true, 1, 0, maxInt},
	optLinger:         {syscall.SOL_SOCKET, syscall.SO_LINGER, true, true, -1, -1, maxInt},
	optReceiveInfo:    {syscall.IPPROTO_IP, syscall.IP_PKTINFO, false, true, 0, 0, 1},
	optReceiveTTL:     {syscall.IPPROTO_IP, syscall.IP_RECVTTL, false, true, 0, 0, 1},
	optReceiveTOS:     {syscall.IPPROTO_IP, syscall.IP_RECVTOS, false, true, 0, 0, 1},
	optReceiveInfo6:   {syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, false, true, 0, 0, 1},
	optReceiveHops:    {syscall.IPPROTO_IPV6, syscall.IPV6_RECVHOPLIMIT, false, true, 0, 0, 1},
	optReceiveClass:   {syscall.IPPROTO_IPV6, syscall.IPV6_RECVTCLASS, false, true, 0, 0, 1},
}

// findOption returns the option that s has by that name, or -1.
func (s *socket) findOption(level, name uintptr) int {
	if s.netlink && level != syscall.SOL_SOCKET || level == syscall.IPPROTO_IPV6 && !s.v6 {
		return -1
	}
	for o := range optionTable {
		t := &optionTable[o]
		if uintptr(t.level) == level && uintptr(t.name) == name && (s.stream && t.stream || !s.stream && t.datagram) {
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
	o := s.findOption(level, name)
	if o < 0 {
		return fail(syscall.ENOPROTOOPT)
	}
	if size < 4 || o == optLinger && size < 8 {
		return fail(syscall.EINVAL)
	}
	w, ok := wordAt(addr)
	v := int32(w)
	if ok && o == optLinger {
		seconds, ok2 := wordAt(addr + 4)
		ok = ok2
		if v != 0 {
			v = int32(min(seconds, maxInt))
		} else {
			v = -1
		}
	}
	if !ok {
		return fail(syscall.EFAULT)
	}
	switch o {
	case optSndBuf, optRcvBuf:
		// Linux doubles the value, for its bookkeeping, and reports that.
		v = max(min(v, maxBuffer/2), 2048) * 2
	case optTTL, optHops, optMulticastHops, optMulticastTTL, optTrafficClass:
		if v == -1 {
			v = optionTable[o].initial
		}
	case optReceiveInfo, optReceiveTTL, optReceiveTOS, optReceiveInfo6, optReceiveHops, optReceiveClass:
		if v != 0 {
			v = 1
		}
	}
	if t := &optionTable[o]; v < t.min || v > t.max {
		return fail(syscall.EINVAL)
	}
	s.options[o].Store(v)
	s.changed.Or(1 << o)
	attend(i)
	return 0
}

// getOption is getsockopt. Handler context.
func (s *socket) getOption(level, name, addr, sizeAt uintptr) int {
	room, ok := wordAt(sizeAt)
	if !ok {
		return fail(syscall.EFAULT)
	}
	if int32(room) < 0 {
		return fail(syscall.EINVAL)
	}
	var b [8]byte
	size, v := uint32(4), uint32(0)
	if o := s.findOption(level, name); o >= 0 {
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
		if level == syscall.IPPROTO_IPV6 && !s.v6 {
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

// property is what getsockopt can ask and setsockopt cannot set.
func (s *socket) property(level, name uintptr) (v uint32, ok bool) {
	const soProtocol, soDomain = 38, 39
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
		if s.stream {
			return syscall.SOCK_STREAM, true
		}
		if s.netlink {
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
		return syscall.IPPROTO_UDP, true
	}
	return 0, false
}
