package tor

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

func TestDHCPAnswers(t *testing.T) {
	h := newHost(t, newSwitch(t), 1)
	card := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	book := func(mac net.HardwareAddr) (netip.Addr, bool) {
		return netip.MustParseAddr("10.77.0.10"), mac.String() == card.String()
	}
	other, ours := net.IP{10, 77, 0, 99}, net.IP{10, 77, 0, 10}
	ask := func(kind dhcpv4.MessageType, mac net.HardwareAddr, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
		m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(mac)}, more...)...)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	wants := func(ip net.IP) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(ip)) }
	for _, test := range []struct {
		name    string
		request *dhcpv4.DHCPv4
		want    dhcpv4.MessageType // none: no answer
	}{
		{"discover", ask(dhcpv4.MessageTypeDiscover, card), dhcpv4.MessageTypeOffer},
		{"request", ask(dhcpv4.MessageTypeRequest, card, wants(ours)), dhcpv4.MessageTypeAck},
		{"renewal", ask(dhcpv4.MessageTypeRequest, card, dhcpv4.WithClientIP(ours)), dhcpv4.MessageTypeAck},
		{"request of another address", ask(dhcpv4.MessageTypeRequest, card, wants(other)), dhcpv4.MessageTypeNak},
		{"request to another server", ask(dhcpv4.MessageTypeRequest, card, wants(ours),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(other))), dhcpv4.MessageTypeNone},
		{"unknown card", ask(dhcpv4.MessageTypeDiscover, net.HardwareAddr{2, 9, 9, 9, 9, 9}), dhcpv4.MessageTypeNone},
		{"release", ask(dhcpv4.MessageTypeRelease, card), dhcpv4.MessageTypeNone},
	} {
		reply := h.answer(test.request, book)
		if reply == nil {
			if test.want != dhcpv4.MessageTypeNone {
				t.Errorf("%s: no answer; want %v", test.name, test.want)
			}
			continue
		}
		if reply.MessageType() != test.want {
			t.Errorf("%s: %v; want %v", test.name, reply.MessageType(), test.want)
		}
		if test.want == dhcpv4.MessageTypeNak {
			continue
		}
		if !reply.YourIPAddr.Equal(ours) || reply.SubnetMask().String() != "ffffff00" || len(reply.Router()) != 1 ||
			!reply.Router()[0].Equal(net.IP{10, 77, 0, 1}) || reply.TransactionID != test.request.TransactionID {
			t.Errorf("%s: %v", test.name, reply.Summary())
		}
	}
}
