package rack

import (
	"net/netip"
	"testing"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
)

// FuzzFrame hands any bytes to a machine that has a session: nothing may
// panic, and nothing that is not whole and authentic may be taken.
func FuzzFrame(f *testing.F) {
	auth := newAuthenticator("test", "key")
	r := route{srcMAC: macAddr{2, 1}, dstMAC: broadcast}
	g := greeting{From: 7, Role: roleCandidate, MAC: macAddr{2, 1}, IP: netip.AddrFrom4([4]byte{10, 0, 0, 1}), Build: "build", Text: "text"}
	for k := kindHello; k < controlKinds; k++ {
		f.Add(auth.encode(&r, k, &g), false)
	}
	for k := controlKinds + 1; k < kindEnd; k++ {
		b := make([]byte, dataAt+10)
		putHeaders(b, &r, len(b), k, 1)
		seal(b)
		f.Add(b, true)
		f.Add(b[:len(b)-20], true)
	}
	three := make([]byte, dataAt+3*(pieceHeaderLen+5))[:payloadAt]
	for i, k := range []messageKind{messageRequest, messageReply, messageBulkDone} {
		m := message{kind: k, id: uint64(i), size: 5}
		at := len(three)
		three = three[:at+pieceHeaderLen+5]
		m.putHeader(three[at:], 5)
	}
	three[headerAt+3] = byte(kindMessages)
	three[packetAt] = 1
	f.Add(three, true)
	f.Add([]byte{}, false)
	x, y, _ := pair(f, nictest.Options{}, nictest.Faults{})
	x.cancel() // what runs on the poller is run here
	s := x.to(y)
	s.opened(&greeting{Tag: 1, MAC: y.mac, MTU: 1500, Role: roleMember})
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend && len(b) >= payloadAt { // let it through the first checks
			kindOf := kind(b[headerAt+3])
			r := route{srcMAC: y.mac, dstMAC: x.mac}
			putHeaders(b, &r, len(b), kindOf, s.tag)
			seal(b)
		}
		before := x.taken.Load()
		if ours(b) {
			x.deliver(nic.Frame{Bytes: b}, false)
		}
		if _, _, _, ok := parseAny(b); !ok && x.taken.Load() != before {
			t.Errorf("taken: %x", b)
		}
	})
}

// TestCheckPieces has packets of several messages in which something is wrong.
func TestCheckPieces(t *testing.T) {
	packet := func(sizes ...[3]int) (b []byte) { // bytes of the message, offset, and bytes of the piece
		for _, s := range sizes {
			m := message{kind: messageRequest, size: s[0], packed: s[1]}
			at := len(b)
			b = append(b, make([]byte, pieceHeaderLen+s[2])...)
			m.putHeader(b[at:], s[2])
		}
		return b
	}
	good := packet([3]int{3, 0, 3}, [3]int{0, 0, 0}, [3]int{MaxMessage, MaxMessage - 7, 7})
	for _, c := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"three", good, true},
		{"none", nil, false},
		{"the last one is cut off", good[:len(good)-1], false},
		{"the last header is cut off", good[:len(good)-8], false},
		{"half a header follows", append(packet([3]int{3, 0, 3}), make([]byte, pieceHeaderLen-1)...), false},
		{"an empty piece", packet([3]int{3, 0, 3}, [3]int{3, 1, 0}), false},
		{"beyond its message", packet([3]int{3, 0, 3}, [3]int{3, 1, 3}), false},
		{"too large", packet([3]int{MaxMessage + 1, 0, 3}), false},
	} {
		if got := checkPieces(c.b); got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

func parseAny(b []byte) (frame []byte, k kind, why drop, ok bool) {
	if !ours(b) {
		return nil, 0, 0, false
	}
	frame, _, k, why, ok = parse(nic.Frame{Bytes: b}, false)
	return frame, k, why, ok
}

func TestGreetingTravels(t *testing.T) {
	a := newAuthenticator("rack", "key")
	want := greeting{
		From: 1, To: 2, Rack: 3, Tag: 4, Time: 5, Directory: 6, DirectoryMAC: macAddr{7}, MAC: macAddr{8},
		IP: netip.AddrFrom4([4]byte{1, 2, 3, 4}), ID: 9, MTU: 9000, Role: roleMember, Answer: true,
		Machines: 10, Build: "a build", Text: "a text",
	}
	f, k, _, ok := parseAny(a.encode(&route{}, kindHello, &want))
	if !ok || k != kindHello {
		t.Fatalf("parse = %v, %v", k, ok)
	}
	if got, _, ok := a.decode(f); !ok || got != want {
		t.Errorf("decode = %+v, %v; want %+v", got, ok, want)
	}
	for _, other := range []*authenticator{newAuthenticator("rack", "other"), newAuthenticator("other", "key")} {
		if _, why, ok := other.decode(f); ok || why != dropForged {
			t.Errorf("decode with another key = %v, %v", dropNames[why], ok)
		}
	}
	for i := range f {
		if i < headerAt {
			continue // of no meaning, or checked by ours
		}
		f[i] ^= 1
		if g, _, _, ok := parseAny(f); ok {
			if _, _, ok := a.decode(g); ok {
				t.Errorf("taken with byte %d altered", i)
			}
		}
		f[i] ^= 1
	}
}

// TestFramesAreCounted sends one frame of each bad kind and looks for it in
// the counters.
func TestFramesAreCounted(t *testing.T) {
	x, y, _ := pair(t, nictest.Options{}, nictest.Faults{})
	x.cancel() // what runs on the poller is run here
	frame := func(k kind, length int, tag uint64) []byte {
		b := make([]byte, length)
		r := route{srcMAC: y.mac, dstMAC: x.mac}
		putHeaders(b, &r, length, k, tag)
		seal(b)
		return b
	}
	s := x.to(y)
	s.opened(&greeting{Tag: 1, MAC: y.mac, MTU: 1500, Role: roleMember})
	flipped := frame(kindPing, 100, s.tag)
	flipped[80] ^= 4
	foreign := frame(kindPing, 100, s.tag)
	foreign[headerAt] = 'x'
	strange := frame(kindPing, 100, s.tag)
	strange[5] ^= 1
	short := frame(kindPing, 100, s.tag)[:70]
	repeat := frame(kindAck, payloadAt, s.tag)
	for _, c := range []struct {
		frame []byte
		want  drop
	}{
		{short, dropShort}, {foreign, dropForeign}, {flipped, dropCorrupt}, {strange, dropNotMine},
		{frame(kindPing, 100, 12345), dropSession}, {frame(kindHello, 300, 1), dropForged},
		{frame(kindEnd, 100, s.tag), dropForeign}, {repeat, dropShort},
		{frame(kindPiece, pieceAt+10, s.tag), dropBulk}, {frame(kindMessages, dataAt, s.tag), dropRepeat},
	} {
		before := x.drops[c.want].Load()
		if !ours(c.frame) {
			t.Fatalf("%x is not even ours", c.frame)
		}
		x.deliver(nic.Frame{Bytes: c.frame}, false)
		if got := x.drops[c.want].Load(); got != before+1 {
			t.Errorf("%s: counted %d times", dropNames[c.want], got-before)
		}
	}
}
