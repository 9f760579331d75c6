package net

import (
	"runtime"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"nuos/drivers/nic"
	"nuos/drivers/nic/port"
)

// link is the port as a link of gVisor's stack. It takes every frame that no
// other claimant of the port wants.
type link struct {
	port *port.Port
	mac  tcpip.LinkAddress
	up   atomic.Pointer[stack.NetworkDispatcher]

	// dhcp is asked first about every IPv4 packet and takes its own.
	dhcp func(packet []byte) bool

	mu     sync.Mutex // held while batch and frames are used
	batch  [sendBatch]nic.Packet
	frames [sendBatch][]byte // in which packets are put together
}

const (
	sendBatch = 32
	// fullTries is how often a full sending queue is tried again before its
	// packets are dropped, as a real queue would.
	fullTries = 1000
)

var _ stack.LinkEndpoint = (*link)(nil)

func newLink(p *port.Port) *link {
	mac := p.MAC()
	l := &link{port: p, mac: tcpip.LinkAddress(mac[:])}
	for i := range l.frames {
		l.frames[i] = make([]byte, 0, header.EthernetMinimumSize+p.MTU())
	}
	return l
}

// receive takes a frame from the port.
func (l *link) receive(frame []byte) {
	if len(frame) < header.EthernetMinimumSize {
		return
	}
	eth := header.Ethernet(frame)
	kind := tcpip.PacketHost
	switch dst := eth.DestinationAddress(); {
	case dst == l.mac:
	case dst == header.EthernetBroadcastAddress:
		kind = tcpip.PacketBroadcast
	case header.IsMulticastEthernetAddress(dst):
		kind = tcpip.PacketMulticast
	default:
		return // for another machine
	}
	protocol := eth.Type()
	if protocol == header.IPv4ProtocolNumber && l.dhcp != nil && l.dhcp(frame[header.EthernetMinimumSize:]) {
		return
	}
	up := l.up.Load()
	if up == nil {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		Payload: buffer.MakeWithData(frame), // a copy, as frame is only lent
	})
	defer pkt.DecRef()
	pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	pkt.PktType = kind
	(*up).DeliverNetworkPacket(protocol, pkt)
}

// WritePackets implements stack.LinkWriter.
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := 0
	for all := pkts.AsSlice(); len(all) > 0; {
		n := min(len(all), sendBatch)
		for i, pkt := range all[:n] {
			f := l.frames[i][:0]
			for _, s := range pkt.AsSlices() {
				f = append(f, s...)
			}
			l.frames[i] = f
			l.batch[i] = nic.Packet{Head: f}
		}
		done := l.send(l.batch[:n])
		sent += done
		if done < n {
			return sent, &tcpip.ErrNoBufferSpace{}
		}
		all = all[n:]
	}
	return sent, nil
}

// send returns how many packets the port has taken.
func (l *link) send(batch []nic.Packet) int {
	done := 0
	for tries := 0; tries < fullTries; tries++ {
		if done += l.port.Send(batch[done:]); done == len(batch) {
			break
		}
		runtime.Gosched()
	}
	return done
}

// AddHeader implements stack.NetworkLinkEndpoint.
func (l *link) AddHeader(pkt *stack.PacketBuffer) {
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: l.mac,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

// ParseHeader implements stack.NetworkLinkEndpoint.
func (l *link) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	return ok
}

// Attach implements stack.NetworkLinkEndpoint.
func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.up.Store(nil)
		return
	}
	l.up.Store(&d)
}

// The rest of stack.NetworkLinkEndpoint is what does not change.

func (l *link) MTU() uint32                             { return uint32(l.port.MTU()) }
func (l *link) SetMTU(uint32)                           {}
func (l *link) MaxHeaderLength() uint16                 { return header.EthernetMinimumSize }
func (l *link) LinkAddress() tcpip.LinkAddress          { return l.mac }
func (l *link) SetLinkAddress(tcpip.LinkAddress)        {}
func (l *link) IsAttached() bool                        { return l.up.Load() != nil }
func (l *link) Wait()                                   {}
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }
func (l *link) Close()                                  {}
func (l *link) SetOnCloseAction(func())                 {}
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityResolutionRequired
}
