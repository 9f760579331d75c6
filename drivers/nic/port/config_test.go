package port

import (
	"errors"
	"net/netip"
	"testing"

	"nuos/drivers/nic"
)

func TestParseConfig(t *testing.T) {
	addr, gw, dns := netip.MustParsePrefix("10.0.0.2/24"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("8.8.8.8")
	for _, c := range []struct {
		in   string
		want Config
	}{
		{"dhcp", Config{DHCP: true}},
		{"10.0.0.2/24", Config{Addr: addr}},
		{"10.0.0.2/24,10.0.0.1", Config{Addr: addr, Gateway: gw}},
		{"10.0.0.2/24,10.0.0.1,8.8.8.8", Config{Addr: addr, Gateway: gw, DNS: dns}},
		{"10.0.0.2/24,,8.8.8.8", Config{Addr: addr, DNS: dns}},
	} {
		if got, err := ParseConfig(c.in); err != nil || got != c.want {
			t.Errorf("ParseConfig(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "10.0.0.2", "10.0.0.2/33", "fe80::1/64", "10.0.0.2/24,x", "10.0.0.2/24,10.0.1.1", "10.0.0.2/24,10.0.0.1,::1", "10.0.0.2/24,,,"} {
		if _, err := ParseConfig(in); !errors.Is(err, ErrParameter) {
			t.Errorf("ParseConfig(%q) = %v; want ErrParameter", in, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add("dhcp")
	f.Add("10.0.0.2/24,10.0.0.1,8.8.8.8")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseConfig(s); err == nil && !c.DHCP && !c.Addr.Addr().Is4() {
			t.Errorf("ParseConfig(%q) = %+v", s, c)
		}
	})
}

func TestLinkLocal(t *testing.T) {
	for _, c := range []struct{ mac, want string }{
		{"02:00:00:00:00:00", "169.254.1.0/16"},
		{"02:00:00:00:00:01", "169.254.1.1/16"},
		{"52:54:00:12:34:56", "169.254.53.86/16"},
		{"52:54:00:12:fd:ff", "169.254.254.255/16"},
		{"52:54:00:12:fe:00", "169.254.1.0/16"},
	} {
		mac, err := nic.ParseMAC(c.mac)
		if err != nil {
			t.Fatal(err)
		}
		if got := linkLocal(mac).String(); got != c.want {
			t.Errorf("linkLocal(%s) = %s; want %s", c.mac, got, c.want)
		}
	}
}
