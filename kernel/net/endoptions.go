package net

import (
	"math/bits"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// applyOptions tells gVisor of the options that were set since the last time.
func (e *end) applyOptions() {
	if e.ep == nil || e.s.changed.Load() == 0 {
		return
	}
	for set := e.s.changed.Swap(0); set != 0; set &= set - 1 {
		o := bits.TrailingZeros64(set)
		e.applyOption(o, int(e.s.options[o].Load()))
	}
}

// discoveries are gVisor's names for the values of IP_MTU_DISCOVER.
var discoveries = [...]tcpip.PMTUDStrategy{tcpip.PMTUDiscoveryDont, tcpip.PMTUDiscoveryWant, tcpip.PMTUDiscoveryDo, tcpip.PMTUDiscoveryProbe}

// applyOption sets an option whose value setOption has checked. What gVisor
// still refuses it does not have, and has no effect, as the option says of
// itself.
func (e *end) applyOption(o, v int) {
	so := e.ep.SocketOptions()
	switch o {
	case optReuseAddr:
		so.SetReuseAddress(v != 0)
	case optReusePort:
		so.SetReusePort(v != 0)
	case optBroadcast:
		so.SetBroadcast(v != 0)
	case optKeepAlive:
		so.SetKeepAlive(v != 0)
	case optSndBuf:
		so.SetSendBufferSize(int64(v), true)
	case optRcvBuf:
		so.SetReceiveBufferSize(int64(v), true)
	case optNoDelay:
		so.SetDelayOption(v == 0)
	case optCork:
		so.SetCorkOption(v != 0)
	case optQuickAck:
		so.SetQuickAck(v != 0)
	case optKeepIdle:
		t := tcpip.KeepaliveIdleOption(time.Duration(v) * time.Second)
		e.ep.SetSockOpt(&t)
	case optKeepIntvl:
		t := tcpip.KeepaliveIntervalOption(time.Duration(v) * time.Second)
		e.ep.SetSockOpt(&t)
	case optKeepCnt:
		e.ep.SetSockOptInt(tcpip.KeepaliveCountOption, v)
	case optMaxSeg:
		e.ep.SetSockOptInt(tcpip.MaxSegOption, v)
	case optSynCnt:
		e.ep.SetSockOptInt(tcpip.TCPSynCountOption, v)
	case optUserTimeout:
		t := tcpip.TCPUserTimeoutOption(time.Duration(v) * time.Millisecond)
		e.ep.SetSockOpt(&t)
	case optTOS:
		e.ep.SetSockOptInt(tcpip.IPv4TOSOption, v)
	case optTTL:
		e.ep.SetSockOptInt(tcpip.IPv4TTLOption, v)
	case optMulticastTTL, optMulticastHops:
		e.ep.SetSockOptInt(tcpip.MulticastTTLOption, v)
	case optMulticastLoop, optMulticastLoop6:
		so.SetMulticastLoop(v != 0)
	case optV6Only:
		so.SetV6Only(v != 0)
	case optHops:
		e.ep.SetSockOptInt(tcpip.IPv6HopLimitOption, v)
	case optTrafficClass:
		e.ep.SetSockOptInt(tcpip.IPv6TrafficClassOption, v)
	case optHeaderIncluded:
		so.SetHeaderIncluded(v != 0)
	case optChecksum:
		e.ep.SetSockOptInt(tcpip.IPv6Checksum, v)
	case optNoCheck:
		so.SetNoChecksum(v != 0)
	case optDevice:
		so.SetBindToDevice(int32(v))
	case optDeferAccept:
		t := tcpip.TCPDeferAcceptOption(time.Duration(v) * time.Second)
		e.ep.SetSockOpt(&t)
	case optFinTimeout:
		t := tcpip.TCPLingerTimeoutOption(time.Duration(v) * time.Second)
		e.ep.SetSockOpt(&t)
	case optCongestion:
		t := tcpip.CongestionControlOption(congestionNames[v])
		e.ep.SetSockOpt(&t)
	case optMTUDiscover, optMTUDiscover6:
		if v < len(discoveries) {
			e.ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(discoveries[v]))
		}
	case optMulticastIf6:
		e.ep.SetSockOptInt(tcpip.IPv6MulticastInterfaceOption, v)
	case optLinger:
		// close looks at it: gVisor has no part in lingering for a time.
	case optReceiveInfo, optReceiveTTL, optReceiveTOS, optReceiveInfo6, optReceiveHops, optReceiveClass:
		// A receive looks at them: gVisor tells always (newEnd).
	}
}
