package net

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Protocols that gVisor has no code for and programs speak themselves, through raw
// sockets: the stack must know their numbers. Packets that nobody wants are answered as
// Linux does, with an ICMP error.

// spokenByPrograms are their numbers (IANA, Assigned Internet Protocol Numbers): GRE,
// ESP, AH, OSPF, PIM, VRRP, L2TP and SCTP.
var spokenByPrograms = [...]uint8{47, 50, 51, 89, 103, 112, 115, 132}

// rawProtocol is one of them.
type rawProtocol struct {
	stack  *stack.Stack
	number tcpip.TransportProtocolNumber
}

var _ stack.TransportProtocol = (*rawProtocol)(nil)

func newRawProtocol(number uint8) stack.TransportProtocolFactory {
	return func(s *stack.Stack) stack.TransportProtocol {
		return &rawProtocol{s, tcpip.TransportProtocolNumber(number)}
	}
}

func (p *rawProtocol) Number() tcpip.TransportProtocolNumber { return p.number }

func (p *rawProtocol) NewRawEndpoint(network tcpip.NetworkProtocolNumber, wq *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return raw.NewEndpoint(p.stack, network, p.number, wq)
}

func (p *rawProtocol) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

// HandleUnknownDestinationPacket is asked about every packet, as there are no endpoints
// but raw ones.
func (p *rawProtocol) HandleUnknownDestinationPacket(stack.TransportEndpointID, *stack.PacketBuffer) stack.UnknownDestinationPacketDisposition {
	return stack.UnknownDestinationPacketUnhandled
}

// Parse leaves the packet as it is: there is no header that the stack knows.
func (p *rawProtocol) Parse(*stack.PacketBuffer) bool { return true }

func (p *rawProtocol) MinimumPacketSize() int                          { return 0 }
func (p *rawProtocol) ParsePorts([]byte) (uint16, uint16, tcpip.Error) { return 0, 0, nil }

func (p *rawProtocol) SetOption(tcpip.SettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (p *rawProtocol) Option(tcpip.GettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (p *rawProtocol) Close()   {}
func (p *rawProtocol) Wait()    {}
func (p *rawProtocol) Pause()   {}
func (p *rawProtocol) Resume()  {}
func (p *rawProtocol) Restore() {}
