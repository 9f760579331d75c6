package rack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/netip"
	"sync"
)

// Control frames are what machines say to each other outside a session. The
// body is one greeting, its text and the first 16 bytes of the HMAC-SHA256 of
// the frame from its kind on, without the CRC (RFC 2104), under a key derived
// from the rack's name and key. A repeated control frame can do no harm: it is
// bound to the incarnations of both machines.
//
//	 0  nonce of the sender's incarnation              8
//	 8  nonce of the receiver's; 0: whoever it is      8
//	16  the rack's number, 0 before it is formed       8
//	24  tag for the receiver to use                    8
//	32  time of the sender, to be sent back            8
//	40  directory's nonce, 0: none known               8
//	48  directory's MAC                                6
//	54  the sender's MAC                               6
//	60  the sender's IPv4 address                      4
//	64  MachineID                                      4
//	68  MTU                                            2
//	70  role, flags                                    2
//	72  machines= of the sender                        2
//	74  length of the build identity, of the text      2
//	76  build identity, text, authenticator
const (
	greetingLen = 76
	macLen      = 16
)

type role byte

const (
	roleCandidate role = iota + 1 // not yet a member
	roleMember
	roleObserver
)

type greeting struct {
	From, To     uint64
	Rack         uint64
	Tag          uint64
	Time         uint64
	Directory    uint64
	DirectoryMAC macAddr
	MAC          macAddr
	IP           netip.Addr
	ID           MachineID
	MTU          uint16
	Role         role
	Answer       bool // answers another greeting
	Machines     uint16
	Build        string // at most 255 bytes
	Text         string // at most 255 bytes
}

// authenticator makes the tags of control frames.
type authenticator struct {
	name uint64 // hash of the rack's name, the tag of control frames

	mu  sync.Mutex
	mac hash.Hash
	sum [sha256.Size]byte
}

func newAuthenticator(name, key string) *authenticator {
	h := sha256.Sum256([]byte("nuos rack name\x00" + name))
	k := hmac.New(sha256.New, []byte(key))
	k.Write([]byte("nuos control frames\x00" + name))
	return &authenticator{name: binary.LittleEndian.Uint64(h[:]), mac: hmac.New(sha256.New, k.Sum(nil))}
}

// tag computes the authenticator of a frame whose authenticator is cut off.
func (a *authenticator) tag(frame []byte) [macLen]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mac.Reset()
	a.mac.Write(frame[headerAt:crcAt])
	a.mac.Write(frame[tagAt:])
	return [macLen]byte(a.mac.Sum(a.sum[:0]))
}

// encode makes a control frame.
func (a *authenticator) encode(r *route, k kind, g *greeting) []byte {
	build, text := clip(g.Build), clip(g.Text)
	length := bodyAt + greetingLen + len(build) + len(text) + macLen
	f := make([]byte, length)
	putHeaders(f, r, length, k, a.name)
	b, le := f[bodyAt:], binary.LittleEndian
	le.PutUint64(b[0:], g.From)
	le.PutUint64(b[8:], g.To)
	le.PutUint64(b[16:], g.Rack)
	le.PutUint64(b[24:], g.Tag)
	le.PutUint64(b[32:], g.Time)
	le.PutUint64(b[40:], g.Directory)
	copy(b[48:], g.DirectoryMAC[:])
	copy(b[54:], g.MAC[:])
	ip := ip4(g.IP)
	copy(b[60:], ip[:])
	le.PutUint32(b[64:], uint32(g.ID))
	le.PutUint16(b[68:], g.MTU)
	b[70] = byte(g.Role)
	if g.Answer {
		b[71] = 1
	}
	le.PutUint16(b[72:], g.Machines)
	b[74], b[75] = byte(len(build)), byte(len(text))
	copy(b[greetingLen:], build)
	copy(b[greetingLen+len(build):], text)
	tag := a.tag(f[:length-macLen])
	copy(f[length-macLen:], tag[:])
	seal(f)
	return f
}

func clip(s string) string { return s[:min(len(s), 255)] }

// decode reads a frame that parse has accepted.
func (a *authenticator) decode(f []byte) (g greeting, why drop, ok bool) {
	if len(f) < bodyAt+greetingLen+macLen {
		return g, dropShort, false
	}
	le := binary.LittleEndian
	tag := a.tag(f[:len(f)-macLen])
	if le.Uint64(f[tagAt:]) != a.name || !hmac.Equal(tag[:], f[len(f)-macLen:]) {
		return g, dropForged, false
	}
	b := f[bodyAt : len(f)-macLen]
	build, text := int(b[74]), int(b[75])
	if len(b) != greetingLen+build+text {
		return g, dropShort, false
	}
	return greeting{
		From: le.Uint64(b[0:]), To: le.Uint64(b[8:]), Rack: le.Uint64(b[16:]),
		Tag: le.Uint64(b[24:]), Time: le.Uint64(b[32:]), Directory: le.Uint64(b[40:]),
		DirectoryMAC: macAddr(b[48:54]), MAC: macAddr(b[54:60]),
		IP: netip.AddrFrom4([4]byte(b[60:64])), ID: MachineID(le.Uint32(b[64:])),
		MTU: le.Uint16(b[68:]), Role: role(b[70]), Answer: b[71] != 0, Machines: le.Uint16(b[72:]),
		Build: string(b[greetingLen : greetingLen+build]), Text: string(b[greetingLen+build:]),
	}, 0, true
}
