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
	f.Add([]byte{}, false)
	x, y, _ := pair(f, nictest.Options{}, nictest.Faults{})
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
			x.deliver(nic.Frame{Bytes: b})
		}
		if _, _, _, ok := parseAny(b); !ok && x.taken.Load() != before {
			t.Errorf("taken: %x", b)
		}
	})
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
		{frame(kindPiece, pieceAt+10, s.tag), dropBulk}, {frame(kindRequest, dataAt, s.tag), dropRepeat},
	} {
		before := x.drops[c.want].Load()
		if !ours(c.frame) {
			t.Fatalf("%x is not even ours", c.frame)
		}
		x.deliver(nic.Frame{Bytes: c.frame})
		if got := x.drops[c.want].Load(); got != before+1 {
			t.Errorf("%s: counted %d times", dropNames[c.want], got-before)
		}
	}
}
