package rack

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"

	"nuos/drivers/nic"
)

// Frames on the wire, without the check sequence:
//
//	 0  Ethernet II header                           14
//	14  IPv4 header, no options, not fragmented      20   RFC 791
//	34  UDP header, port 28277 to itself, no sum      8   RFC 768
//	42  magic "nu", version, kind                     4
//	46  CRC-32C of what follows, begun with the 4 before, not with 0   4
//	50  tag                                           8
//	58  body
//
// Numbers above UDP are little-endian. A frame may be followed by Ethernet
// padding; its length is that of the IPv4 header. Where that is 0, as for pieces of
// bulk transfers that are too long for it (nic.Info.MaxGather), all of the frame counts. Frames of a session carry as
// tag the random number that their receiver gave to the sender, control frames
// the hash of the rack's name. On cards that change no frame (nic.Info.Exact) frames of a session
// have a CRC of 0. The body of a control frame ends with an authenticator; see control.go.
const (
	etherLen  = 14
	ipLen     = 20
	udpLen    = 8
	headerAt  = etherLen + ipLen + udpLen
	crcAt     = headerAt + 4
	tagAt     = headerAt + 8
	bodyAt    = headerAt + 16
	udpPort   = 28277
	version   = 2
	magic0    = 'n'
	magic1    = 'u'
	etherIPv4 = 0x0800
	protoUDP  = 17
	maxIP     = 1<<16 - 1 // bytes of a packet, its header included
)

// Body of every frame of a session:
//
//	 0  packet number, 0 for frames that are not repeated   8
//	 8  all packets up to this one have arrived here        8
//	16  what the kind says
const (
	packetAt  = bodyAt
	ackAt     = bodyAt + 8
	payloadAt = bodyAt + 16
)

// kind of a frame.
type kind byte

const (
	kindHello   kind = iota + 1 // control: who is there; control.go
	kindOpen                    // control: open a session
	kindOpened                  // control: answer to kindOpen
	kindRefused                 // control: no session for you, and why
	kindFenced                  // control: your incarnation is dead
	controlKinds

	kindMessages // reliable: messages, or pieces of them; message.go
	reliableKinds

	kindAck   // which packets have arrived; receiver.go
	kindPing  // please answer with kindAck
	kindGrant // bulk: send these pieces
	kindPiece // bulk: a piece
	kindEnd
)

func (k kind) control() bool  { return k >= kindHello && k < controlKinds }
func (k kind) reliable() bool { return k > controlKinds && k < reliableKinds }
func (k kind) session() bool  { return k > controlKinds && k != reliableKinds && k < kindEnd }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type macAddr [6]byte

var broadcast = macAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// route is how frames get from here to there.
type route struct {
	srcMAC, dstMAC macAddr
	srcIP, dstIP   [4]byte
}

func ip4(a netip.Addr) [4]byte {
	if !a.Is4() {
		return [4]byte{}
	}
	return a.As4()
}

// putHeaders writes everything before the body of a frame of length bytes,
// except the CRC.
func putHeaders(frame []byte, r *route, length int, k kind, tag uint64) {
	copy(frame, r.dstMAC[:])
	copy(frame[6:], r.srcMAC[:])
	binary.BigEndian.PutUint16(frame[12:], etherIPv4)

	if length-etherLen > maxIP {
		length = etherLen // see above
	}
	ip := frame[etherLen : etherLen+ipLen]
	ip[0], ip[1] = 0x45, 0
	binary.BigEndian.PutUint16(ip[2:], uint16(length-etherLen))
	binary.BigEndian.PutUint16(ip[4:], 0)
	binary.BigEndian.PutUint16(ip[6:], 0x4000) // do not fragment
	ip[8], ip[9] = 64, protoUDP
	ip[10], ip[11] = 0, 0
	copy(ip[12:], r.srcIP[:])
	copy(ip[16:], r.dstIP[:])
	binary.BigEndian.PutUint16(ip[10:], ipSum(ip))

	udp := frame[etherLen+ipLen : headerAt]
	binary.BigEndian.PutUint16(udp[0:], udpPort)
	binary.BigEndian.PutUint16(udp[2:], udpPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(max(length-etherLen-ipLen, 0)))
	binary.BigEndian.PutUint16(udp[6:], 0)

	frame[headerAt], frame[headerAt+1], frame[headerAt+2], frame[headerAt+3] = magic0, magic1, version, byte(k)
	binary.LittleEndian.PutUint64(frame[tagAt:], tag)
}

// ipSum is the checksum of an IPv4 header whose own checksum field is zero
// (RFC 1071).
func ipSum(ip []byte) uint16 {
	var sum uint64
	for i := 0; i < ipLen; i += 4 {
		sum += uint64(binary.BigEndian.Uint32(ip[i:]))
	}
	sum = sum&0xffffffff + sum>>32
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	return ^uint16(sum&0xffff + sum>>16)
}

// frameCRC is the CRC of a frame whose bytes end in head, before any gathered
// memory, which the caller adds with crc32.Update. It begins with the four bytes
// before it: so they are covered, and in one go with the rest.
func frameCRC(head []byte) uint32 {
	return crc32.Update(binary.LittleEndian.Uint32(head[headerAt:]), castagnoli, head[tagAt:])
}

// seal completes a frame that gathers nothing.
func seal(frame []byte) {
	binary.LittleEndian.PutUint32(frame[crcAt:], frameCRC(frame))
}

// drop is why a frame was not taken.
type drop int

const (
	dropShort   drop = iota // too short for what it claims to be
	dropForeign             // not of this version of this protocol
	dropCorrupt             // the CRC is wrong
	dropForged              // control frame of another rack, or without its key
	dropSession             // no such session, or it has ended
	dropNotMine             // addressed to another machine or incarnation
	dropRepeat              // a packet that has arrived before
	dropWindow              // a packet number out of the window
	dropBulk                // a piece or grant of a transfer that is not going on
	dropKinds
)

var dropNames = [dropKinds]string{"short", "foreign", "corrupt", "forged", "session", "not mine", "repeat", "window", "bulk"}

// ours reports whether a frame is UDP/IPv4 for our port: the claim on the NIC.
func ours(f []byte) bool {
	return len(f) >= headerAt &&
		binary.BigEndian.Uint16(f[12:]) == etherIPv4 && f[14] == 0x45 && f[23] == protoUDP &&
		binary.BigEndian.Uint16(f[36:]) == udpPort
}

// parse checks everything about a frame that does not depend on who sent it,
// and returns it without padding. The frame has passed ours. Only a piece of a bulk transfer
// has a rest.
func parse(whole nic.Frame, exact bool) (frame []byte, rest [][]byte, k kind, why drop, ok bool) {
	f, rest := whole.Bytes, whole.Rest
	length := etherLen + int(binary.BigEndian.Uint16(f[16:]))
	if length == etherLen && exact {
		length = whole.Len()
	}
	switch {
	case length > whole.Len() || length < bodyAt || len(f) < bodyAt:
		return nil, nil, 0, dropShort, false
	case f[headerAt] != magic0 || f[headerAt+1] != magic1 || f[headerAt+2] != version:
		return nil, nil, 0, dropForeign, false
	}
	k = kind(f[headerAt+3])
	if rest != nil && (k != kindPiece || len(f) < pieceAt || length != whole.Len()) {
		f, rest = whole.Whole(), nil
	}
	f = f[:min(length, len(f))]
	if !(exact && k.session()) {
		crc := frameCRC(f)
		for _, b := range rest {
			crc = crc32.Update(crc, castagnoli, b)
		}
		if binary.LittleEndian.Uint32(f[crcAt:]) != crc {
			return nil, nil, 0, dropCorrupt, false
		}
	}
	if !k.control() && !k.session() {
		return nil, nil, 0, dropForeign, false
	}
	if k.session() && length < payloadAt {
		return nil, nil, 0, dropShort, false
	}
	return f, rest, k, 0, true
}
