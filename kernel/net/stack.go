package net

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// internet is the machine's stack.
var internet *stack.Stack

// Interfaces of the stack.
const (
	loopbackNIC tcpip.NICID = 1
	portNIC     tcpip.NICID = 2
)

const loopbackMTU = 65536 // as Linux's, and gVisor's

// loopbackPrefixes are the addresses of the loopback interface, and what is behind
// it: all of 127.0.0.0/8, as gVisor takes a subnet for its own there.
var loopbackPrefixes = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")}

// linkLocalPrefixes are what is on the NIC's link whatever its address of IPv4 is: the
// addresses that interfaces of IPv6 give themselves, and multicast.
var linkLocalPrefixes = []netip.Prefix{netip.MustParsePrefix("fe80::/64"), netip.MustParsePrefix("ff00::/8")}

// linkLocal is the address that an interface gives itself (RFC 4291, section 2.5.6).
func linkLocal(mac tcpip.LinkAddress) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(header.LinkLocalAddr(mac).As16()), 64)
}

// newStack returns a stack with the given congestion control that knows the
// loopback network only.
func newStack() (*stack.Stack, error) {
	transports := []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6}
	for _, number := range spokenByPrograms {
		transports = append(transports, newRawProtocol(number))
	}
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: transports,
		RawFactory:         raw.EndpointFactory{},
		HandleLocal:        true,
	})
	if err := tune(s); err != nil {
		return nil, err
	}
	if err := s.CreateNIC(loopbackNIC, loopback.New()); err != nil {
		return nil, fmt.Errorf("loopback: %s", err)
	}
	publishInterface(loopbackNIC, "", loopbackMTU)
	for _, p := range loopbackPrefixes {
		if err := addAddress(s, loopbackNIC, p, stack.AddressProperties{}); err != nil {
			return nil, err
		}
	}
	s.SetRouteTable(routes(netip.Prefix{}, netip.Addr{}))
	return s, nil
}

// tune sets what differs from gVisor's defaults.
func tune(s *stack.Stack) error {
	// Losses are found by duplicate and selective acknowledgements and by the
	// timer. With RACK, under loss and corruption together, connections now and
	// then stand still before their last segment.
	recovery := tcpip.TCPRecovery(0)
	sack := tcpip.TCPSACKEnabled(true)
	snd := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: defaultBuffer, Max: maxBuffer}
	rcv := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: defaultBuffer, Max: maxBuffer}
	// A rack's connections are many and short; its round trips are far below
	// the minute that TIME_WAIT lasts on the open Internet.
	wait := tcpip.TCPTimeWaitTimeoutOption(timeWait)
	for _, o := range []tcpip.SettableTransportProtocolOption{&recovery, &sack, &snd, &rcv, &wait} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("setting %T: %s", o, err)
		}
	}
	return nil
}

func addAddress(s *stack.Stack, nic tcpip.NICID, p netip.Prefix, props stack.AddressProperties) error {
	protocol := ipv4.ProtocolNumber
	if p.Addr().Is6() {
		protocol = ipv6.ProtocolNumber
	}
	err := s.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          protocol,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits()},
	}, props)
	if err != nil {
		return fmt.Errorf("address %s: %s", p, err)
	}
	publishAddress(nic, p)
	return nil
}

// routes is the routing table of a machine with address p, if it has one yet,
// and a gateway, if there is one.
func routes(p netip.Prefix, gateway netip.Addr) []tcpip.Route {
	var table []tcpip.Route
	for _, l := range loopbackPrefixes {
		table = append(table, tcpip.Route{Destination: subnet(l.Masked()), NIC: loopbackNIC})
	}
	for _, l := range linkLocalPrefixes {
		table = append(table, tcpip.Route{Destination: subnet(l), NIC: portNIC})
	}
	if p.IsValid() {
		table = append(table, tcpip.Route{Destination: subnet(p.Masked()), NIC: portNIC})
	}
	if gateway.IsValid() {
		table = append(table, tcpip.Route{
			Destination: header.IPv4EmptySubnet,
			Gateway:     tcpip.AddrFrom4(gateway.As4()),
			NIC:         portNIC,
		})
	}
	return table
}

func subnet(p netip.Prefix) tcpip.Subnet {
	return tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits()}.Subnet()
}

func removeAddress(a netip.Addr) {
	internet.RemoveAddress(portNIC, tcpip.AddrFrom4(a.As4()))
}
