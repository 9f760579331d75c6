package pci

import (
	"fmt"
	"strconv"
	"strings"
)

// Address says where a function is, in segment group 0.
type Address struct {
	Bus      uint8
	Device   uint8 // 0 to 31
	Function uint8 // 0 to 7
}

// String returns a as "00:03.0", in hexadecimal.
func (a Address) String() string { return fmt.Sprintf("%02x:%02x.%d", a.Bus, a.Device, a.Function) }

// ParseAddress reads what String writes; "0000:" before it is accepted.
func ParseAddress(s string) (Address, error) {
	bus, rest, ok := strings.Cut(strings.TrimPrefix(s, "0000:"), ":")
	device, function, ok2 := strings.Cut(rest, ".")
	b, err := strconv.ParseUint(bus, 16, 8)
	d, err2 := strconv.ParseUint(device, 16, 5)
	f, err3 := strconv.ParseUint(function, 8, 3)
	if !ok || !ok2 || err != nil || err2 != nil || err3 != nil {
		return Address{}, fmt.Errorf("%w: %q", ErrAddress, s)
	}
	return Address{uint8(b), uint8(d), uint8(f)}, nil
}
