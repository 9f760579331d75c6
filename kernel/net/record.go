package net

import "encoding/binary"

// record is what a datagram socket's rings hold of a datagram besides its bytes.
// Either context.
type record struct {
	size   uint32  // bytes of the datagram
	remote address // the other side; when sent, one without a port is the peer

	// Where one received was sent to, or where one sent is to come from if it
	// matters; zone is the interface, whatever the address. answers is which
	// IPv4 address of ours answers to one received come from.
	local   address
	answers uint32

	// IPv4's type of service and time to live, or IPv6's traffic class and hop
	// limit. Of one sent they differ from the socket's if they are there.
	tos, ttl       uint8
	hasTOS, hasTTL bool
}

// In a ring a record is a header, the datagram's bytes, and padding to four bytes.
//
//	 0  length of the datagram
//	 2  tos, ttl
//	 4  remote's port, then its zone
//	 8  local's zone
//	10  bits: the addresses are of IPv6; there is tos; there is ttl
//	12  addresses: remote, local and answers, or remote and local of IPv6
//
// So a ring holds the longest datagram of IPv4, and nearly that of IPv6.
const (
	recordHead   = 12
	header4      = recordHead + 3*4
	header6      = recordHead + 2*16
	maxDatagram  = 65535 - 20 - 8 // what IPv4 and UDP leave
	maxDatagram6 = datagramRing - header6

	isIPv6, hasTOS, hasTTL = 1, 2, 4
)

// header is how many bytes come before those of the datagram, and total how many a
// ring needs for all.
func (r *record) header() uint32 {
	if r.remote.is4() {
		return header4
	}
	return header6
}

func (r *record) total() uint32 { return (r.header() + r.size + 3) &^ 3 }

// fits reports whether a ring can hold the datagram.
func (r *record) fits() bool {
	return r.size <= maxDatagram && r.total() <= datagramRing
}

func (q *ring) putRecord(pos uint32, r *record) {
	var b [header6]byte
	binary.LittleEndian.PutUint16(b[0:], uint16(r.size))
	b[2], b[3] = r.tos, r.ttl
	binary.LittleEndian.PutUint16(b[4:], r.remote.port)
	binary.LittleEndian.PutUint16(b[6:], r.remote.zone)
	binary.LittleEndian.PutUint16(b[8:], r.local.zone)
	if r.hasTOS {
		b[10] |= hasTOS
	}
	if r.hasTTL {
		b[10] |= hasTTL
	}
	if r.remote.is4() {
		binary.LittleEndian.PutUint32(b[12:], uint32(r.remote.lo))
		binary.LittleEndian.PutUint32(b[16:], uint32(r.local.lo))
		binary.LittleEndian.PutUint32(b[20:], r.answers)
	} else {
		b[10] |= isIPv6
		binary.LittleEndian.PutUint64(b[12:], r.remote.hi)
		binary.LittleEndian.PutUint64(b[20:], r.remote.lo)
		binary.LittleEndian.PutUint64(b[28:], r.local.hi)
		binary.LittleEndian.PutUint64(b[36:], r.local.lo)
	}
	q.put(pos, b[:r.header()])
}

func (q *ring) record(pos uint32) (r record) {
	var b [header6]byte
	q.get(pos, b[:])
	r.size = uint32(binary.LittleEndian.Uint16(b[0:]))
	r.tos, r.ttl = b[2], b[3]
	r.hasTOS, r.hasTTL = b[10]&hasTOS != 0, b[10]&hasTTL != 0
	if b[10]&isIPv6 == 0 {
		r.remote.lo = mapped | uint64(binary.LittleEndian.Uint32(b[12:]))
		r.local.lo = mapped | uint64(binary.LittleEndian.Uint32(b[16:]))
		r.answers = binary.LittleEndian.Uint32(b[20:])
	} else {
		r.remote.hi = binary.LittleEndian.Uint64(b[12:])
		r.remote.lo = binary.LittleEndian.Uint64(b[20:])
		r.local.hi = binary.LittleEndian.Uint64(b[28:])
		r.local.lo = binary.LittleEndian.Uint64(b[36:])
	}
	r.remote.port = binary.LittleEndian.Uint16(b[4:])
	r.remote.zone = binary.LittleEndian.Uint16(b[6:])
	r.local.zone = binary.LittleEndian.Uint16(b[8:])
	return r
}
