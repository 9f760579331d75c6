package nic

import "testing"

func TestParseMAC(t *testing.T) {
	for _, c := range []struct {
		in   string
		want MAC
		ok   bool
	}{
		{"52:54:00:12:34:5f", MAC{0x52, 0x54, 0, 0x12, 0x34, 0x5f}, true},
		{"FF:ff:FF:ff:FF:ff", Broadcast, true},
		{"", MAC{}, false},
		{"52:54:00:12:34", MAC{}, false},
		{"52:54:00:12:34:5f:00", MAC{}, false},
		{"52:54:0:12:34:5f", MAC{}, false},
		{"52-54-00-12-34-5f", MAC{}, false},
		{" 2:54:00:12:34:5f", MAC{}, false},
		{"52:54:00:12:34:5g", MAC{}, false},
	} {
		got, err := ParseMAC(c.in)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("ParseMAC(%q) = %v, %v; want %v", c.in, got, err, c.want)
		}
	}
}
