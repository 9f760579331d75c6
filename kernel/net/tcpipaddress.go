package net

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// Addresses as gVisor has them. Goroutine context.

// full is a for an endpoint of IPv6 or of IPv4. No address is gVisor's form of the
// unspecified one.
func (a address) full(v6 bool) tcpip.FullAddress {
	f := tcpip.FullAddress{Port: a.port, NIC: tcpip.NICID(a.zone)}
	var b [16]byte
	binary.BigEndian.PutUint64(b[0:], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	switch {
	case v6 && a.lo|a.hi != 0:
		f.Addr = tcpip.AddrFrom16(b)
	case !v6 && !a.unspecified():
		f.Addr = tcpip.AddrFrom4([4]byte(b[12:]))
	}
	return f
}

// addressOf is the inverse of full.
func addressOf(f tcpip.FullAddress, v6 bool) (a address) {
	switch {
	case f.Addr.Len() == 16:
		b := f.Addr.As16()
		a.hi, a.lo = binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
		if a.hi>>54 == 0xfe80>>6 {
			a.zone = uint16(f.NIC)
		}
	case f.Addr.Len() == 4:
		b := f.Addr.As4()
		a = from4(b[0], b[1], b[2], b[3], 0)
	case !v6:
		a = from4(0, 0, 0, 0, 0)
	}
	a.port = f.Port
	return a
}
