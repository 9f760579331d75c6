package net

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"nuos/drivers/nic"
	"nuos/drivers/nic/port"
)

// Ports of DHCP's two sides (RFC 2131, section 4.1).
const (
	dhcpServerPort = 67
	dhcpClientPort = 68
)

// receive takes an IPv4 packet from the port if it is for the DHCP client. What
// it says is looked at by exchange; when many come, some are lost.
func (c *dhcpClient) receive(packet []byte) bool {
	ip := header.IPv4(packet)
	if !ip.IsValid(len(packet)) || ip.Protocol() != uint8(header.UDPProtocolNumber) || ip.More() || ip.FragmentOffset() != 0 {
		return false
	}
	d := header.UDP(ip.Payload())
	if len(d) < header.UDPMinimumSize || d.DestinationPort() != dhcpClientPort {
		return false
	}
	if n := int(d.Length()); n >= header.UDPMinimumSize && n <= len(d) {
		select {
		case c.replies <- append([]byte(nil), d[header.UDPMinimumSize:n]...):
		default:
		}
	}
	return true
}

// sendBroadcast sends a DHCP message from no address to everybody.
func sendBroadcast(p *port.Port, message []byte) {
	p.Send([]nic.Packet{{Head: broadcastFrame(p, message)}})
}

func broadcastFrame(p *port.Port, message []byte) []byte {
	const headers = header.EthernetMinimumSize + header.IPv4MinimumSize + header.UDPMinimumSize
	frame := make([]byte, headers+len(message))
	mac := p.MAC()
	header.Ethernet(frame).Encode(&header.EthernetFields{
		SrcAddr: tcpip.LinkAddress(mac[:]),
		DstAddr: header.EthernetBroadcastAddress,
		Type:    header.IPv4ProtocolNumber,
	})
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	size := uint16(header.UDPMinimumSize + len(message))
	ip.Encode(&header.IPv4Fields{
		TotalLength: header.IPv4MinimumSize + size,
		TTL:         64,
		Protocol:    uint8(udp.ProtocolNumber),
		SrcAddr:     header.IPv4Any,
		DstAddr:     header.IPv4Broadcast,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	// RFC 768: a checksum of zero says that there is none.
	d := header.UDP(ip[header.IPv4MinimumSize:])
	d.Encode(&header.UDPFields{SrcPort: dhcpClientPort, DstPort: dhcpServerPort, Length: size})
	copy(d[header.UDPMinimumSize:], message)
	return frame
}
