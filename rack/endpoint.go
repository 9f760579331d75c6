package rack

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/port"
)

// endpoint is this incarnation on the wire: it takes our frames from the port
// and hands them to sessions and, control frames, to the membership.
type endpoint struct {
	port  *port.Port
	auth  *authenticator
	mac   macAddr
	nonce uint64 // of this incarnation; random, so that no two ever agree
	build string
	start time.Time
	exact bool // frames arrive as they were sent, or not at all
	limit int  // ticks without a word after which a peer is given up

	role  atomic.Uint32 // a role
	id    atomic.Uint32 // a MachineID, 0 before membership
	drops [dropKinds]atomic.Uint64
	taken atomic.Uint64 // frames accepted
	short atomic.Uint64 // times the card took fewer packets than offered
	trip  atomic.Int64  // smoothed nanoseconds from request to reply

	lingering atomic.Bool // somebody polls for his own reply

	work      []errand                // what the frame that is being delivered has brought
	rounds    uint64                  // how often the poller has looked at the card
	gatherers atomic.Pointer[session] // with messages that wait for others; see gathering

	// control is told of every authentic control frame that is for us, on the
	// poller. admit says whether to open a session to who asks.
	control func(k kind, g *greeting)
	admit   func(g *greeting) error

	handlers atomic.Pointer[map[Service]handler] // replaced whole
	peers    atomic.Pointer[peerTable]           // replaced whole
	cancel   func()

	incoming atomic.Int32 // bulk transfers that are being received

	verifyBulk bool // checksum whole transfers; for tests

	mu     sync.Mutex           // held while handlers or peers is replaced
	past   Latencies            // of sessions that are over
	fenced map[uint64]*fencedAs // incarnations declared dead, by tag and by nonce
	closed bool

	workers workers
}

// peerTable is every session, by the tag that its peer was given and by the
// peer's nonce.
type peerTable struct {
	byTag, byNonce map[uint64]*session
}

// fencedAs is an incarnation that may not know yet that it is dead.
type fencedAs struct {
	route route
	nonce uint64
	told  time.Duration
}

func newEndpoint(p *port.Port, auth *authenticator, build string, limit int) *endpoint {
	e := &endpoint{
		port: p, auth: auth, mac: macAddr(p.MAC()), nonce: randomTag(), build: build,
		start: time.Now(), exact: p.Info().Exact, limit: limit, fenced: map[uint64]*fencedAs{},
	}
	e.workers.init()
	e.peers.Store(&peerTable{map[uint64]*session{}, map[uint64]*session{}})
	e.handlers.Store(&map[Service]handler{})
	return e
}

// randomTag returns a random number that is not 0. It identifies, it is no
// secret: whoever can see the segment can see it.
func randomTag() uint64 { return rand.Uint64() | 1 }

// listen begins to take frames.
func (e *endpoint) listen() { e.cancel = e.port.ClaimPieces(ours, e.deliver, e.settle) }

func (e *endpoint) now() time.Duration { return time.Since(e.start) }

func (e *endpoint) drop(why drop) { e.drops[why].Add(1) }

func (e *endpoint) routeTo(mac macAddr, ip netip.Addr) route {
	return route{srcMAC: e.mac, dstMAC: mac, srcIP: ip4(e.port.Addr().Addr()), dstIP: ip4(ip)}
}

// deliver takes a frame from the port, and is told whether there are more. It runs on the poller.
func (e *endpoint) deliver(whole nic.Frame, more bool) {
	f, rest, k, why, ok := parse(whole, e.exact)
	if !ok {
		e.drop(why)
		return
	}
	to := macAddr(f[:6])
	if k.control() {
		if to != e.mac && to != broadcast {
			e.drop(dropNotMine)
			return
		}
		g, why, ok := e.auth.decode(f)
		switch {
		case !ok:
			e.drop(why)
		case g.From == e.nonce || g.To != 0 && g.To != e.nonce:
			e.drop(dropNotMine)
		default:
			e.taken.Add(1)
			e.greeted(k, &g)
		}
		return
	}
	if to != e.mac {
		e.drop(dropNotMine)
		return
	}
	s := e.peers.Load().byTag[binary.LittleEndian.Uint64(f[tagAt:])]
	if s == nil {
		e.drop(dropSession)
		e.tellFenced(binary.LittleEndian.Uint64(f[tagAt:]))
		return
	}
	e.taken.Add(1)
	s.receive(k, f, rest, more)
}

// greeted handles an authentic control frame.
func (e *endpoint) greeted(k kind, g *greeting) {
	switch k {
	case kindOpen:
		s := e.peers.Load().byNonce[g.From]
		if s == nil {
			if e.tellFenced(g.From) {
				return
			}
			if err := e.admit(g); err != nil {
				e.sendControl(kindRefused, g.MAC, g.IP, &greeting{To: g.From, Text: err.Error()})
				return
			}
			if s = e.session(g.From, g.MAC, g.IP); s == nil {
				return
			}
		}
		s.opened(g)
		e.sendControl(kindOpened, g.MAC, g.IP, &greeting{To: g.From, Tag: s.tag})
	case kindOpened:
		if s := e.peers.Load().byNonce[g.From]; s != nil {
			s.opened(g)
		}
	}
	e.control(k, g)
}

// sendControl sends a control frame; what g leaves out about this machine is
// filled in.
func (e *endpoint) sendControl(k kind, mac macAddr, ip netip.Addr, g *greeting) {
	g.From, g.MAC, g.IP = e.nonce, e.mac, e.port.Addr().Addr()
	g.ID, g.Role = MachineID(e.id.Load()), role(e.role.Load())
	g.MTU, g.Build = uint16(e.port.MTU()), e.build
	r := e.routeTo(mac, ip)
	e.send1(e.auth.encode(&r, k, g))
}

// session returns the session with an incarnation, and begins one if there is
// none; nil if that incarnation is dead or we are closed.
func (e *endpoint) session(nonce uint64, mac macAddr, ip netip.Addr) *session {
	if s := e.peers.Load().byNonce[nonce]; s != nil {
		return s
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.peers.Load()
	if s := old.byNonce[nonce]; s != nil {
		return s
	}
	if e.closed || e.fenced[nonce] != nil {
		return nil
	}
	s := newSession(e, nonce, mac, ip)
	t := &peerTable{maps.Clone(old.byTag), maps.Clone(old.byNonce)}
	t.byTag[s.tag], t.byNonce[nonce] = s, s
	e.peers.Store(t)
	return s
}

// remove ends a session: what waits in it fails with cause.
func (e *endpoint) remove(s *session, cause error) {
	e.mu.Lock()
	old := e.peers.Load()
	t := &peerTable{maps.Clone(old.byTag), maps.Clone(old.byNonce)}
	delete(t.byTag, s.tag)
	delete(t.byNonce, s.nonce)
	e.peers.Store(t)
	e.retire(s)
	e.mu.Unlock()
	s.close(cause)
}

// fence ends all dealings with an incarnation that was declared dead: its
// frames are dropped, and it is told so whenever one arrives.
func (e *endpoint) fence(nonce uint64, mac macAddr, ip netip.Addr) {
	e.mu.Lock()
	f := e.fenced[nonce]
	if f == nil {
		f = &fencedAs{route: e.routeTo(mac, ip), nonce: nonce, told: -time.Hour}
		e.fenced[nonce] = f
	}
	s := e.peers.Load().byNonce[nonce]
	if s != nil {
		e.fenced[s.tag] = f
	}
	e.mu.Unlock()
	if s != nil {
		e.remove(s, ErrLost)
	}
}

// tellFenced tells the incarnation that a tag or nonce belongs to that it is
// dead, if it is, at most ten times a second.
func (e *endpoint) tellFenced(tagOrNonce uint64) bool {
	e.mu.Lock()
	f := e.fenced[tagOrNonce]
	now := e.now()
	tell := f != nil && now-f.told > 100*time.Millisecond
	if tell {
		f.told = now
	}
	e.mu.Unlock()
	if tell {
		e.sendControl(kindFenced, f.route.dstMAC, netip.AddrFrom4(f.route.dstIP), &greeting{To: f.nonce})
	}
	return f != nil
}

// close ends every session and takes no more frames.
func (e *endpoint) close(cause error) {
	e.mu.Lock()
	was := e.closed
	e.closed = true
	old := e.peers.Swap(&peerTable{map[uint64]*session{}, map[uint64]*session{}})
	e.mu.Unlock()
	if !was {
		close(e.workers.over)
		if e.cancel != nil {
			e.cancel()
		}
	}
	for _, s := range old.byNonce {
		s.close(cause)
	}
}
