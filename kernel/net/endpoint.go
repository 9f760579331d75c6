package net

import (
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// Which of gVisor's endpoints a socket has. Goroutine context.

// newEndpoint makes the endpoint.
func (e *end) newEndpoint() (tcpip.Endpoint, tcpip.Error) {
	s := e.s
	network := ipv4.ProtocolNumber
	if s.v6 {
		network = ipv6.ProtocolNumber
	}
	if s.raw {
		return internet.NewRawEndpoint(tcpip.TransportProtocolNumber(s.protocol), network, e.wq, s.protocol != ipprotoRaw)
	}
	protocol := udp.ProtocolNumber
	switch {
	case s.stream:
		protocol = tcp.ProtocolNumber
	case s.protocol == syscall.IPPROTO_ICMP:
		protocol = icmp.ProtocolNumber4
	case s.protocol == syscall.IPPROTO_ICMPV6:
		protocol = icmp.ProtocolNumber6
	}
	return internet.NewEndpoint(protocol, network, e.wq)
}
