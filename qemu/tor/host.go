package tor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// hostNIC is the only interface of the stack.
const hostNIC = 1

// Host is a TCP/IP stack of this process on a port of the switch: the way
// between the rack's network and the computer it runs on, without privileges.
type Host struct {
	sw    *Switch
	port  *Port
	addr  netip.Prefix
	stack *stack.Stack
}

// HostConfig says who a Host is.
type HostConfig struct {
	MAC  net.HardwareAddr
	Addr netip.Prefix
	MTU  int
}

// hostLink is the lower end of the stack, and the wire of its port. From
// channel.Endpoint it has all that a link must say of itself; frames bypass
// its queue.
type hostLink struct {
	*channel.Endpoint
	port *Port
}

// quiet silences the library's log, for the whole process: it prints what a
// peer does wrong, which a switch full of faults makes everybody do. The first
// AddHost calls it.
var quiet = sync.OnceFunc(func() {
	log.SetTarget(&log.Writer{Next: io.Discard})
})

// AddHost adds a port with a stack on it. The switch closes it.
func (sw *Switch) AddHost(c HostConfig) (*Host, error) {
	quiet()
	h := &Host{sw: sw, port: sw.AddPort("host"), addr: c.Addr}
	h.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	link := &hostLink{
		Endpoint: channel.New(0, uint32(c.MTU+headerLen), tcpip.LinkAddress(c.MAC)),
		port:     h.port,
	}
	if err := h.stack.CreateNIC(hostNIC, ethernet.New(link)); err != nil {
		return nil, fmt.Errorf("tor: host: %v", err)
	}
	own := tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(c.Addr.Addr().AsSlice()), PrefixLen: c.Addr.Bits()},
	}
	if err := h.stack.AddProtocolAddress(hostNIC, own, stack.AddressProperties{}); err != nil {
		return nil, fmt.Errorf("tor: host: %v", err)
	}
	h.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: hostNIC}})
	sack := tcpip.TCPSACKEnabled(true)
	h.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &sack)
	if err := h.port.out.plug(link, nil); err != nil {
		return nil, err
	}
	sw.onClose(h.stack.Close)
	return h, nil
}

// Port is the host's port of the switch.
func (h *Host) Port() *Port { return h.port }

// Dial connects to a machine of the rack.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return h.dial(ctx, to)
}

func (h *Host) dial(ctx context.Context, to netip.AddrPort) (*gonet.TCPConn, error) {
	return gonet.DialContextTCP(ctx, h.stack, fullAddress(to), ipv4.ProtocolNumber)
}

// Listen accepts connections from the rack to the host's own address.
func (h *Host) Listen(port uint16) (net.Listener, error) {
	return gonet.ListenTCP(h.stack, fullAddress(netip.AddrPortFrom(h.addr.Addr(), port)), ipv4.ProtocolNumber)
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: hostNIC, Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}
}

// WritePackets implements stack.LinkWriter: the stack sends.
func (l *hostLink) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	var b batch
	var frame []byte
	for _, p := range packets.AsSlice() {
		frame = frame[:0]
		for _, piece := range p.AsSlices() {
			frame = append(frame, piece...)
		}
		l.port.receive(&b, frame)
	}
	b.flush()
	return packets.Len(), nil
}

// deliver implements wire: the stack receives. It takes everything at once.
func (l *hostLink) deliver(framed []byte, _ time.Duration) (int, error) {
	return splitFrames(framed, func(frame []byte) {
		packet := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
		l.InjectInbound(0, packet) // the protocol is read from the Ethernet header
		packet.DecRef()
	})
}

// close implements wire.
func (l *hostLink) close() {}
