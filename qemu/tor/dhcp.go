package tor

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// leaseTime is long: addresses belong to cards and are never taken back.
const leaseTime = 24 * time.Hour

// ServeDHCP answers DHCP requests of cards that address knows; others get no
// answer. The host is the gateway.
func (h *Host) ServeDHCP(address func(net.HardwareAddr) (netip.Addr, bool)) error {
	var queue waiter.Queue
	ep, terr := h.stack.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &queue)
	if terr != nil {
		return fmt.Errorf("tor: dhcp: %v", terr)
	}
	ep.SocketOptions().SetBroadcast(true)
	if terr := ep.Bind(tcpip.FullAddress{NIC: hostNIC, Port: dhcpv4.ServerPort}); terr != nil {
		ep.Close()
		return fmt.Errorf("tor: dhcp: %v", terr)
	}
	conn := gonet.NewUDPConn(&queue, ep)
	server, err := server4.NewServer("", nil, func(conn net.PacketConn, peer net.Addr, request *dhcpv4.DHCPv4) {
		if reply := h.answer(request, address); reply != nil {
			conn.WriteTo(reply.ToBytes(), peer)
		}
	}, server4.WithConn(conn))
	if err != nil {
		conn.Close()
		return fmt.Errorf("tor: dhcp: %w", err)
	}
	go server.Serve() // until conn is closed
	h.sw.onClose(func() { conn.Close() })
	return nil
}

// answer makes the reply to one request (RFC 2131, 4.3), nil if there is none.
func (h *Host) answer(request *dhcpv4.DHCPv4, address func(net.HardwareAddr) (netip.Addr, bool)) *dhcpv4.DHCPv4 {
	ip, known := address(request.ClientHWAddr)
	if !known || request.OpCode != dhcpv4.OpcodeBootRequest {
		return nil
	}
	self := net.IP(h.addr.Addr().AsSlice())
	if to := request.ServerIdentifier(); to != nil && !to.Equal(self) {
		return nil // for another server
	}
	kind := dhcpv4.MessageTypeOffer
	switch request.MessageType() {
	case dhcpv4.MessageTypeDiscover:
	case dhcpv4.MessageTypeRequest:
		kind = dhcpv4.MessageTypeAck
		wanted := request.RequestedIPAddress()
		if wanted == nil {
			wanted = request.ClientIPAddr // renewing
		}
		if !wanted.Equal(net.IP(ip.AsSlice())) {
			reply, err := dhcpv4.NewReplyFromRequest(request, dhcpv4.WithMessageType(dhcpv4.MessageTypeNak),
				dhcpv4.WithOption(dhcpv4.OptServerIdentifier(self)))
			if err != nil {
				return nil
			}
			return reply
		}
	default:
		return nil
	}
	reply, err := dhcpv4.NewReplyFromRequest(request,
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithYourIP(net.IP(ip.AsSlice())),
		dhcpv4.WithServerIP(self),
		dhcpv4.WithRouter(self),
		dhcpv4.WithNetmask(net.CIDRMask(h.addr.Bits(), 32)),
		dhcpv4.WithLeaseTime(uint32(leaseTime/time.Second)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(self)))
	if err != nil {
		return nil
	}
	return reply
}
