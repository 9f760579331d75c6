package net

import (
	"syscall"

	"nuos/kernel"
)

// The socket options that are integers to us, with Linux's numbers, defaults and bounds.

// congestionNames are the ways of congestion control, the default first.
var congestionNames = [...]string{"cubic", "reno"}

// kinds are the kinds of socket that have an option.
type kinds uint8

const (
	streams kinds = 1 << iota
	udps          // and ping sockets
	raws
	datagrams = udps | raws
	all       = streams | datagrams
)

// kind is that of s. Netlink sockets are as those of UDP.
func (s *socket) kind() kinds {
	switch {
	case s.stream:
		return streams
	case s.raw:
		return raws
	}
	return udps
}

// option is an integer socket option. Setting one stores it in the socket; the
// end hears of it and tells gVisor (endoptions.go). Some are stored and have no effect,
// as there is nothing that they are about: optPriority, optMark, optBusyPoll,
// optFastOpen, optNotSentLow, optBindNoPort, optDontFragment6 and optReceivePathMTU.
type option struct {
	level, name       uint16
	has               kinds
	initial, min, max int32 // 0 and 1: any value but 0 is 1
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

	optHeaderIncluded
	optChecksum

	optPriority
	optMark
	optBusyPoll
	optNoCheck
	optDevice // an interface, set by name
	optFastOpen
	optDeferAccept
	optFinTimeout
	optNotSentLow
	optCongestion // an index of congestionNames
	optMTUDiscover
	optMTUDiscover6
	optDontFragment6
	optBindNoPort
	optMulticastIf6 // an interface
	optReceivePathMTU

	numOptions
)

const _ = uint(64 - numOptions) // socket.changed has a bit for each

const (
	maxInt        = 1<<31 - 1
	defaultBuffer = 128 << 10 // of gVisor's sending and receiving queues, bytes
	maxBuffer     = 2 << 20

	// Numbers that package syscall does not have (asm-generic/socket.h, linux/tcp.h,
	// linux/in.h, linux/in6.h).
	soReusePort      = 15
	soSndBufForce    = 32
	soRcvBufForce    = 33
	soMark           = 36
	soBusyPoll       = 46
	tcpUserTimeout   = 18
	tcpFastOpen      = 23
	tcpNotSentLow    = 25
	ipBindNoPort     = 24
	ipv6Checksum     = 7
	ipv6DontFragment = 62
	ipv6RecvPathMTU  = 60

	tcpKeepSeconds = 32767 // the longest interval Linux takes
	finTimeout     = 60    // seconds in the state FIN_WAIT_2
	maxFinTimeout  = 120
)

var optionTable = [numOptions]option{
	optReuseAddr:     {syscall.SOL_SOCKET, syscall.SO_REUSEADDR, all, 0, 0, 1},
	optReusePort:     {syscall.SOL_SOCKET, soReusePort, all, 0, 0, 1},
	optBroadcast:     {syscall.SOL_SOCKET, syscall.SO_BROADCAST, all, 0, 0, 1},
	optKeepAlive:     {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, all, 0, 0, 1},
	optSndBuf:        {syscall.SOL_SOCKET, syscall.SO_SNDBUF, all, defaultBuffer, 0, maxInt},
	optRcvBuf:        {syscall.SOL_SOCKET, syscall.SO_RCVBUF, all, defaultBuffer, 0, maxInt},
	optNoDelay:       {syscall.IPPROTO_TCP, syscall.TCP_NODELAY, streams, 0, 0, 1},
	optCork:          {syscall.IPPROTO_TCP, syscall.TCP_CORK, streams, 0, 0, 1},
	optKeepIdle:      {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, streams, 7200, 1, tcpKeepSeconds},
	optKeepIntvl:     {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, streams, 75, 1, tcpKeepSeconds},
	optKeepCnt:       {syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, streams, 9, 1, 127},
	optMaxSeg:        {syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, streams, 536, 88, 32767},
	optSynCnt:        {syscall.IPPROTO_TCP, syscall.TCP_SYNCNT, streams, 6, 1, 127},
	optUserTimeout:   {syscall.IPPROTO_TCP, tcpUserTimeout, streams, 0, 0, maxInt},
	optQuickAck:      {syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, streams, 1, 0, maxInt},
	optTOS:           {syscall.IPPROTO_IP, syscall.IP_TOS, all, 0, 0, 255},
	optTTL:           {syscall.IPPROTO_IP, syscall.IP_TTL, all, 64, 1, 255},
	optMulticastTTL:  {syscall.IPPROTO_IP, syscall.IP_MULTICAST_TTL, datagrams, 1, 0, 255},
	optMulticastLoop: {syscall.IPPROTO_IP, syscall.IP_MULTICAST_LOOP, datagrams, 1, 0, 1},
	// Those of IPv6 are of its sockets only.
	optV6Only:         {syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, all, 0, 0, 1},
	optHops:           {syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, all, 64, 0, 255},
	optTrafficClass:   {syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS, all, 0, 0, 255},
	optMulticastHops:  {syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_HOPS, datagrams, 1, 0, 255},
	optMulticastLoop6: {syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_LOOP, datagrams, 1, 0, 1},
	optLinger:         {syscall.SOL_SOCKET, syscall.SO_LINGER, all, -1, -1, maxInt},
	optReceiveInfo:    {syscall.IPPROTO_IP, syscall.IP_PKTINFO, datagrams, 0, 0, 1},
	optReceiveTTL:     {syscall.IPPROTO_IP, syscall.IP_RECVTTL, datagrams, 0, 0, 1},
	optReceiveTOS:     {syscall.IPPROTO_IP, syscall.IP_RECVTOS, datagrams, 0, 0, 1},
	optReceiveInfo6:   {syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, datagrams, 0, 0, 1},
	optReceiveHops:    {syscall.IPPROTO_IPV6, syscall.IPV6_RECVHOPLIMIT, datagrams, 0, 0, 1},
	optReceiveClass:   {syscall.IPPROTO_IPV6, syscall.IPV6_RECVTCLASS, datagrams, 0, 0, 1},

	optHeaderIncluded: {syscall.IPPROTO_IP, syscall.IP_HDRINCL, raws, 0, 0, 1},
	optChecksum:       {syscall.IPPROTO_IPV6, ipv6Checksum, raws, -1, -1, 65535},

	optPriority:       {syscall.SOL_SOCKET, syscall.SO_PRIORITY, all, 0, -1 << 31, maxInt},
	optMark:           {syscall.SOL_SOCKET, soMark, all, 0, -1 << 31, maxInt},
	optBusyPoll:       {syscall.SOL_SOCKET, soBusyPoll, all, 0, 0, maxInt},
	optNoCheck:        {syscall.SOL_SOCKET, syscall.SO_NO_CHECK, all, 0, 0, 1},
	optDevice:         {syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, all, 0, 0, maxInt},
	optFastOpen:       {syscall.IPPROTO_TCP, tcpFastOpen, streams, 0, 0, kernel.MaxBacklog},
	optDeferAccept:    {syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, streams, 0, 0, maxInt},
	optFinTimeout:     {syscall.IPPROTO_TCP, syscall.TCP_LINGER2, streams, finTimeout, -1, maxFinTimeout},
	optNotSentLow:     {syscall.IPPROTO_TCP, tcpNotSentLow, streams, 0, -1 << 31, maxInt},
	optCongestion:     {syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, streams, 0, 0, int32(len(congestionNames) - 1)},
	optMTUDiscover:    {syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER, all, 1, 0, 5},
	optMTUDiscover6:   {syscall.IPPROTO_IPV6, syscall.IPV6_MTU_DISCOVER, all, 1, 0, 5},
	optDontFragment6:  {syscall.IPPROTO_IPV6, ipv6DontFragment, all, 0, 0, 1},
	optBindNoPort:     {syscall.IPPROTO_IP, ipBindNoPort, all, 0, 0, 1},
	optMulticastIf6:   {syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_IF, datagrams, 0, 0, maxInt},
	optReceivePathMTU: {syscall.IPPROTO_IPV6, ipv6RecvPathMTU, all, 0, 0, 1},
}
