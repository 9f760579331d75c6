//go:build !metal

package net

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
)

// dhcpServer answers on a segment as the test says.
type dhcpServer struct {
	port   *port.Port
	answer func(request *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 // nil: none
}

func serveDHCP(t *testing.T, s *nictest.Segment, answer func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4) *dhcpServer {
	d := &dhcpServer{port: openPort(t, s, netip.MustParsePrefix("10.0.0.254/24")), answer: answer}
	d.port.ClaimRest(d.receive)
	return d
}

func (d *dhcpServer) receive(frame []byte) {
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	if !ip.IsValid(len(ip)) || ip.Protocol() != uint8(header.UDPProtocolNumber) {
		return
	}
	u := header.UDP(ip.Payload())
	if u.DestinationPort() != dhcpServerPort || ip.CalculateChecksum() != 0xffff {
		return
	}
	request, err := dhcpv4.FromBytes(u.Payload())
	if err != nil {
		return
	}
	if reply := d.answer(request); reply != nil {
		d.send(reply)
	}
}

// send is sendBroadcast with the ports exchanged.
func (d *dhcpServer) send(m *dhcpv4.DHCPv4) {
	f := broadcastFrame(d.port, m.ToBytes())
	u := header.UDP(f[header.EthernetMinimumSize+header.IPv4MinimumSize:])
	u.SetSourcePort(dhcpServerPort)
	u.SetDestinationPort(dhcpClientPort)
	d.port.Send([]nic.Packet{{Head: f}})
}

// grant makes the reply of a server that gives addr for term.
func grant(request *dhcpv4.DHCPv4, addr string, term time.Duration) *dhcpv4.DHCPv4 {
	kind := dhcpv4.MessageTypeOffer
	if request.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
	}
	m, err := dhcpv4.NewReplyFromRequest(request,
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithYourIP(net.ParseIP(addr)),
		dhcpv4.WithServerIP(net.IPv4(10, 0, 0, 254)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 254))),
		dhcpv4.WithOption(dhcpv4.OptSubnetMask(net.CIDRMask(24, 32))),
		dhcpv4.WithOption(dhcpv4.OptRouter(net.IPv4(10, 0, 0, 254))),
		dhcpv4.WithOption(dhcpv4.OptDNS(net.IPv4(10, 0, 0, 253))),
		dhcpv4.WithOption(dhcpv4.OptIPAddressLeaseTime(term)),
	)
	if err != nil {
		panic(err)
	}
	return m
}

// dhcpMachine joins the stack to a segment, without an address.
func dhcpMachine(t *testing.T, s *nictest.Segment) *dhcpClient {
	p := openPort(t, s, netip.Prefix{})
	l, c := newLink(p), newDHCPClient(p)
	l.dhcp = c.receive
	if err := internet.CreateNIC(portNIC, l); err != nil {
		t.Fatal(err)
	}
	p.ClaimRest(l.receive)
	t.Cleanup(func() {
		internet.RemoveNIC(portNIC)
		internet.SetRouteTable(routes(netip.Prefix{}, netip.Addr{}))
	})
	return c
}

// TestDHCP gets an address through loss of the first messages and among
// answers that are for others.
func TestDHCP(t *testing.T) {
	s := nictest.New(t, nictest.Options{MTU: 1500})
	c := dhcpMachine(t, s)
	seen := 0
	var server *dhcpServer
	server = serveDHCP(t, s, func(r *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		if seen++; seen == 1 {
			return nil
		}
		wrong := grant(r, "10.0.0.66", time.Hour)
		wrong.TransactionID[0] ^= 1
		server.send(wrong)
		strange := grant(r, "10.0.0.67", time.Hour)
		strange.ClientHWAddr = net.HardwareAddr{2, 9, 9, 9, 9, 9}
		server.send(strange)
		return grant(r, "10.0.0.9", time.Hour)
	})
	c.discover()
	if want := netip.MustParsePrefix("10.0.0.9/24"); c.port.Addr() != want || c.lease.addr != want {
		t.Errorf("the address is %v, of the lease %v; want %v", c.port.Addr(), c.lease.addr, want)
	}
	if want := netip.MustParseAddr("10.0.0.254"); c.lease.gateway != want {
		t.Errorf("the gateway is %v; want %v", c.lease.gateway, want)
	}
	if a, err := internet.GetMainNICAddress(portNIC, header.IPv4ProtocolNumber); err != nil || a.String() != "10.0.0.9/24" {
		t.Errorf("the stack has address %v, %v", a, err)
	}
	table := internet.GetRouteTable()
	if last := table[len(table)-1]; last.Gateway.String() != "10.0.0.254" {
		t.Errorf("the routes are %v; want the last by the gateway", table)
	}
}

// TestRenewal keeps a lease, takes another address with it, and loses it.
func TestRenewal(t *testing.T) {
	s := nictest.New(t, nictest.Options{MTU: 1500})
	c := dhcpMachine(t, s)
	renewals := 0
	serveDHCP(t, s, func(r *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		if r.MessageType() == dhcpv4.MessageTypeRequest && !r.ClientIPAddr.IsUnspecified() {
			renewals++
			if r.ServerIdentifier() != nil {
				t.Error("a renewal names a server")
			}
			if renewals == 2 {
				nak := grant(r, "0.0.0.0", 0)
				nak.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
				return nak
			}
			return grant(r, "10.0.0.8", time.Hour)
		}
		return grant(r, "10.0.0.7", time.Hour)
	})
	c.discover()
	c.lease.renew = time.Now() // and again after the first, by the server's word
	renewed := make(chan struct{})
	c.renewed = func() {
		if c.port.Addr() != netip.MustParsePrefix("10.0.0.8/24") {
			t.Errorf("the address is %v; want 10.0.0.8/24", c.port.Addr())
		}
		c.lease.renew = time.Now()
		close(renewed)
	}
	c.hold() // returns when the lease is lost
	<-renewed
	if a, err := internet.GetMainNICAddress(portNIC, header.IPv4ProtocolNumber); err == nil && a.Address.Len() != 0 {
		t.Errorf("the stack still has address %v", a)
	}
}

func TestParseLease(t *testing.T) {
	now := time.Unix(1e9, 0)
	request, err := dhcpv4.New()
	if err != nil {
		t.Fatal(err)
	}
	request.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
	with := func(change ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
		m := grant(request, "10.1.2.3", time.Hour)
		for _, f := range change {
			f(m)
		}
		return m
	}
	option := func(c dhcpv4.GenericOptionCode, v ...byte) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.OptGeneric(c, v))
	}
	for _, test := range []struct {
		name  string
		ack   *dhcpv4.DHCPv4
		addr  string // "": refused
		renew time.Duration
	}{
		{"plain", with(), "10.1.2.3/24", 30 * time.Minute},
		{"renewal time", with(option(58, 0, 0, 2, 88)), "10.1.2.3/24", 600 * time.Second},
		{"renewal after the end", with(option(58, 0, 1, 0, 0)), "10.1.2.3/24", 30 * time.Minute},
		{"renewal at once", with(option(58, 0, 0, 0, 0)), "10.1.2.3/24", 30 * time.Minute},
		{"hardly any time", with(dhcpv4.WithLeaseTime(1)), "10.1.2.3/24", 30 * time.Second},
		{"no mask", with(dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask)), "10.1.2.3/8", 30 * time.Minute},
		{"mask of nothing", with(option(1, 0, 0, 0, 0)), "", 0},
		{"mask with a hole", with(option(1, 255, 0, 255, 0)), "", 0},
		{"short mask", with(option(1, 255)), "10.1.2.3/8", 30 * time.Minute},
		{"no address", with(dhcpv4.WithYourIP(net.IPv4zero)), "", 0},
		{"group address", with(dhcpv4.WithYourIP(net.IPv4(224, 0, 0, 1))), "", 0},
		{"loopback address", with(dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 1))), "", 0},
	} {
		l, ok := parseLease(test.ack, now)
		if ok != (test.addr != "") || ok && l.addr.String() != test.addr {
			t.Errorf("%s: %v, %v; want %q", test.name, l.addr, ok, test.addr)
			continue
		}
		if ok && l.renew.Sub(now) != test.renew {
			t.Errorf("%s: renewed after %v; want %v", test.name, l.renew.Sub(now), test.renew)
		}
	}
}

// FuzzDHCP gives the client's port arbitrary packets.
func FuzzDHCP(f *testing.F) {
	request, err := dhcpv4.New()
	if err != nil {
		f.Fatal(err)
	}
	s := nictest.New(f, nictest.Options{})
	p := openPort(f, s, other)
	ack := grant(request, "10.0.0.5", time.Hour)
	packet := broadcastFrame(p, ack.ToBytes())[header.EthernetMinimumSize:]
	header.UDP(packet[header.IPv4MinimumSize:]).SetDestinationPort(dhcpClientPort)
	f.Add(packet)
	f.Add(packet[:30])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) {
		c := newDHCPClient(p)
		if !c.receive(packet) {
			return
		}
		select {
		case b := <-c.replies:
			if m, err := dhcpv4.FromBytes(b); err == nil {
				parseLease(m, time.Now())
			}
		default:
		}
	})
}
