package net

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"nuos/drivers/nic/port"
)

// dhcpClient gets the machine's address by DHCP (RFC 2131) and keeps it. It
// speaks on the port itself, as the stack has no address to speak from, and
// always by broadcast: a lease is renewed the way section 4.4.5 has it for
// REBINDING, which any server answers.
type dhcpClient struct {
	port    *port.Port
	mac     net.HardwareAddr
	replies chan []byte // DHCP messages for the client's port
	lease   lease
	renewed func() // for tests: called after each renewal; may be nil
}

// lease is what a server has granted.
type lease struct {
	addr          netip.Prefix // invalid: none
	gateway       netip.Addr
	dns           []netip.Addr
	renew, expire time.Time
	ack           *dhcpv4.DHCPv4
}

const (
	firstReply = time.Second      // how long to wait for the first answer
	lastReply  = 64 * time.Second // it doubles up to here
	// discoverPatience is how long connections wait for DHCP before they
	// have to do with the link-local address.
	discoverPatience = 10 * time.Second
	defaultLease     = time.Hour
)

func newDHCPClient(p *port.Port) *dhcpClient {
	mac := p.MAC()
	return &dhcpClient{port: p, mac: mac[:], replies: make(chan []byte, 16)}
}

// run never returns.
func (c *dhcpClient) run() {
	give := time.AfterFunc(discoverPatience, func() {
		fmt.Fprintf(os.Stderr, "nuos: no DHCP server answers; this machine is %s until one does\n", c.port.Addr().Addr())
		setConfigured()
	})
	for {
		c.discover()
		give.Stop()
		c.hold()
	}
}

// discover returns when there is a lease, and has set the machine's address.
func (c *dhcpClient) discover() {
	for {
		d, err := dhcpv4.NewDiscovery(c.mac, dhcpv4.WithBroadcast(true))
		if err != nil {
			panic(fmt.Sprintf("dhcp: %v", err)) // no entropy
		}
		offer := c.exchange(d, forever)
		if offer == nil || offer.MessageType() != dhcpv4.MessageTypeOffer {
			continue
		}
		r, err := dhcpv4.NewRequestFromOffer(offer, dhcpv4.WithBroadcast(true))
		if err != nil {
			continue
		}
		if c.accept(c.exchange(r, time.Now().Add(4*firstReply))) {
			return
		}
	}
}

// hold keeps the lease and returns when it is lost.
func (c *dhcpClient) hold() {
	for {
		time.Sleep(time.Until(c.lease.renew))
		r, err := dhcpv4.NewRenewFromAck(c.lease.ack, dhcpv4.WithBroadcast(true))
		if err != nil {
			panic(fmt.Sprintf("dhcp: %v", err)) // no entropy
		}
		reply := c.exchange(r, c.lease.expire)
		if reply != nil && reply.MessageType() == dhcpv4.MessageTypeAck && c.accept(reply) {
			if c.renewed != nil {
				c.renewed()
			}
			continue
		}
		fmt.Fprintf(os.Stderr, "nuos: the lease of %s is lost\n", c.lease.addr.Addr())
		removeAddress(c.lease.addr.Addr())
		c.lease = lease{}
		return
	}
}

// accept takes what ack grants and reports whether it is good for anything.
func (c *dhcpClient) accept(ack *dhcpv4.DHCPv4) bool {
	if ack == nil || ack.MessageType() != dhcpv4.MessageTypeAck {
		return false
	}
	l, ok := parseLease(ack, time.Now())
	if !ok {
		return false
	}
	if err := setAddress(c.lease.addr, l.addr, l.gateway, l.dns...); err != nil {
		fmt.Fprintln(os.Stderr, "nuos: DHCP:", err)
		return false
	}
	if l.addr != c.lease.addr {
		c.port.SetAddr(l.addr)
	}
	c.lease = l
	setConfigured()
	return true
}

// parseLease reads an acknowledgement that arrived at now.
func parseLease(ack *dhcpv4.DHCPv4, now time.Time) (l lease, ok bool) {
	ip, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() {
		return l, false
	}
	mask := ack.SubnetMask()
	if mask == nil {
		mask = net.IP(ip.AsSlice()).DefaultMask()
	}
	ones, size := mask.Size()
	if size != 32 || ones == 0 {
		return l, false
	}
	l.ack = ack
	l.addr = netip.PrefixFrom(ip, ones)
	for _, r := range ack.Router() {
		if g, ok := netip.AddrFromSlice(r.To4()); ok && l.addr.Contains(g) {
			l.gateway = g
			break
		}
	}
	for _, d := range ack.DNS() {
		if d, ok := netip.AddrFromSlice(d.To4()); ok {
			l.dns = append(l.dns, d)
		}
	}
	term := max(ack.IPAddressLeaseTime(defaultLease), time.Minute)
	l.renew = now.Add(ack.IPAddressRenewalTime(term / 2))
	l.expire = now.Add(term)
	if l.renew.After(l.expire) || l.renew.Before(now.Add(term/8)) {
		l.renew = now.Add(term / 2)
	}
	return l, true
}

var forever time.Time // a deadline that does not come

// exchange sends m, again and again, until there is an answer to it, and
// returns that; or nil after the deadline.
func (c *dhcpClient) exchange(m *dhcpv4.DHCPv4, deadline time.Time) *dhcpv4.DHCPv4 {
	for wait := firstReply; ; wait = min(wait*2, lastReply) {
		sendBroadcast(c.port, m.ToBytes())
		// The spread keeps a rack that was switched on at once apart.
		late := time.After(wait + rand.N(wait/4))
		for answered := false; !answered; {
			select {
			case <-late:
				answered = true
			case b := <-c.replies:
				r, err := dhcpv4.FromBytes(b)
				if err == nil && r.OpCode == dhcpv4.OpcodeBootReply && r.TransactionID == m.TransactionID &&
					bytes.Equal(r.ClientHWAddr, c.mac) {
					return r
				}
			}
		}
		if deadline != forever && time.Now().After(deadline) {
			return nil
		}
	}
}
