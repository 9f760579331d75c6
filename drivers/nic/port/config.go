package port

import (
	"fmt"
	"net/netip"
	"strings"

	"nuos/boot"
	"nuos/drivers/nic"
)

var ipParam = boot.NewParam("ip", "dhcp", "the machine's address: A.B.C.D/N[,GATEWAY[,DNS]] or dhcp")

// Config is the meaning of the boot parameter ip=.
type Config struct {
	DHCP    bool         // ask for an address
	Addr    netip.Prefix // the machine's, with its subnet; invalid if there is none yet
	Gateway netip.Addr   // invalid: none
	DNS     netip.Addr   // invalid: none
}

// ParseConfig reads A.B.C.D/N[,GATEWAY[,DNS]] or dhcp. Its errors wrap
// ErrParameter.
func ParseConfig(s string) (Config, error) {
	if s == "dhcp" {
		return Config{DHCP: true}, nil
	}
	bad := func(why string) (Config, error) {
		return Config{}, fmt.Errorf("%w ip=%s: %s; want A.B.C.D/N[,GATEWAY[,DNS]] or dhcp", ErrParameter, s, why)
	}
	words := strings.Split(s, ",")
	if len(words) > 3 {
		return bad("too many words")
	}
	var c Config
	var err error
	if c.Addr, err = netip.ParsePrefix(words[0]); err != nil || !c.Addr.Addr().Is4() {
		return bad(fmt.Sprintf("%q is no IPv4 address with prefix length", words[0]))
	}
	for i, to := range []*netip.Addr{&c.Gateway, &c.DNS} {
		if len(words) <= i+1 || words[i+1] == "" {
			continue
		}
		if *to, err = netip.ParseAddr(words[i+1]); err != nil || !to.Is4() {
			return bad(fmt.Sprintf("%q is no IPv4 address", words[i+1]))
		}
	}
	if c.Gateway.IsValid() && !c.Addr.Contains(c.Gateway) {
		return bad("the gateway is outside the subnet")
	}
	return c, nil
}

// linkLocal derives an address of 169.254.0.0/16 from the low 16 bits of a
// MAC, without the first and last 256, which RFC 3927, 2.1 reserves. It does
// not hash: cards of one rack often have consecutive addresses, and those must
// not collide.
func linkLocal(mac nic.MAC) netip.Prefix {
	v := 256 + (int(mac[4])<<8|int(mac[5]))%(65536-512)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, byte(v >> 8), byte(v)}), 16)
}
