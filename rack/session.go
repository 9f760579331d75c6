package rack

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"nuos/drivers/nic"
)

// session is all that this incarnation has to do with one other: a channel on
// which numbered packets arrive exactly once, in any order, and what runs on
// it. There is at most one between two incarnations, ever; that is why a
// request that was delivered once can never be delivered again.
//
// The session's lock is a leaf: nothing is called with it held but the port's
// Send and timers.
type session struct {
	e     *endpoint
	nonce uint64        // of the peer's incarnation
	tag   uint64        // that frames to us carry
	id    atomic.Uint32 // MachineID of the peer, 0 while it is no member
	role  atomic.Uint32
	done  chan struct{} // closed when the session is

	ordinary, system chan struct{} // a token for each call that may be under way

	mu      sync.Mutex
	state   sessionState
	cause   error  // why it is closed
	peerTag uint64 // that frames to the peer carry
	route   route
	mtu     int  // both sides take so much after the Ethernet header
	exact   bool // frames arrive as they were sent, or not at all: they need no CRC
	heard   bool
	silent  int // ticks without a word
	opening time.Duration
	openDue time.Duration
	timer   *time.Timer
	timerAt time.Duration // when timer fires; 0: it is not armed
	alone   [1]nic.Packet // to send, without allocating

	sender
	receiver
	gathering
	callTable
	bulkTable
	counts    PeerStats
	latencies Latencies // of calls by programs
}

type sessionState int

const (
	sessionIdle    sessionState = iota // nothing to send so far
	sessionOpening                     // asking for the peer's tag
	sessionOpen
	sessionClosed
)

// callCredits is how many ordinary, and how many system calls a machine may
// have under way to another. It bounds the goroutines and the memory that a
// peer can take.
const callCredits = 256

func newSession(e *endpoint, nonce uint64, mac macAddr, ip netip.Addr) *session {
	s := &session{
		e: e, nonce: nonce, tag: randomTag(), route: e.routeTo(mac, ip), mtu: e.port.MTU(),
		done:     make(chan struct{}),
		ordinary: make(chan struct{}, callCredits),
		system:   make(chan struct{}, callCredits),
	}
	s.sender.init()
	s.callTable.init(s)
	s.bulkTable.init()
	return s
}

// opened learns the peer's tag from kindOpen or kindOpened.
func (s *session) opened(g *greeting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.silent = true, 0
	if s.state == sessionClosed || s.state == sessionOpen {
		return // a session's tags never change
	}
	s.state, s.peerTag = sessionOpen, g.Tag
	s.exact = s.e.exact && g.Role != roleObserver // which is at a switch, not at the cable
	s.role.Store(uint32(g.Role))
	s.id.CompareAndSwap(0, uint32(g.ID))
	s.route.dstMAC, s.route.dstIP = g.MAC, ip4(g.IP)
	s.mtu = max(min(s.mtu, int(g.MTU)), 576)
	s.flush(s.e.now())
}

// requestOpen asks the peer for its tag. Called with mu held.
func (s *session) requestOpen(now time.Duration) {
	if s.state == sessionIdle {
		s.state, s.opening = sessionOpening, 10*time.Millisecond
	}
	s.openDue = now + s.opening
	s.opening = min(s.opening*2, 500*time.Millisecond)
	s.arm(now, s.openDue)
	s.e.sendControl(kindOpen, s.route.dstMAC, netip.AddrFrom4(s.route.dstIP), &greeting{To: s.nonce, Tag: s.tag})
}

// keepOpen opens the session if nothing has done so yet.
func (s *session) keepOpen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == sessionIdle {
		s.requestOpen(s.e.now())
	}
}

// receive takes a frame of this session, on the poller, who may have more.
func (s *session) receive(k kind, f []byte, rest [][]byte, more bool) {
	s.mu.Lock()
	if s.state != sessionOpen {
		// Open, but its answer is still on the way: the peer will repeat.
		s.mu.Unlock()
		s.e.drop(dropSession)
		return
	}
	now := s.e.now()
	s.beginRound(more)
	s.heard, s.silent = true, 0
	s.counts.FramesIn++
	s.counts.BytesIn += uint64(len(f))
	s.acked(now, binary.LittleEndian.Uint64(f[ackAt:]))
	switch {
	case k.reliable():
		s.arrived(now, f)
	case k == kindAck:
		s.ackedSome(now, f)
	case k == kindPing:
		s.ackDue = now
	case k == kindGrant:
		if w := s.granted(f); w != nil {
			s.e.work = append(s.e.work, errand{writer: w})
		}
	case k == kindPiece:
		s.piece(now, f, rest)
	}
	if s.together == 0 { // what waits for others is not sent because of a frame
		s.flush(now)
	}
	s.mu.Unlock()
	s.e.runErrands()
}

// arm makes the timer fire at the given time or before. It is never disarmed:
// firing in vain is cheaper. Called with mu held.
func (s *session) arm(now, at time.Duration) {
	if s.timerAt != 0 && s.timerAt <= at || s.state == sessionClosed {
		return
	}
	s.timerAt = at
	wait := max(at-now, 0)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.fire)
	} else {
		s.timer.Reset(wait)
	}
}

// fire does what is due and arms the timer for what is due next.
func (s *session) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timerAt = 0
	now := s.e.now()
	switch s.state {
	case sessionOpening:
		if now >= s.openDue {
			s.requestOpen(now)
		}
		s.arm(now, s.openDue)
	case sessionOpen:
		next := s.repeat(now)
		s.flush(now)
		if s.ackDue != 0 && (next == 0 || s.ackDue < next) {
			next = s.ackDue
		}
		if bulk := s.listen(now); bulk != 0 && (next == 0 || bulk < next) {
			next = bulk
		}
		if next != 0 {
			s.arm(now, next)
		}
	}
}

// tick runs a dozen times in the time that death takes. A peer that says
// nothing is asked; when it has said nothing for limit ticks, what waits for
// it fails, and tick returns how long it has been silent. Silence is counted
// in ticks of our own so that a machine that was itself stopped for a while
// does not think that the others were.
func (s *session) tick() (silent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == sessionIdle || s.state == sessionClosed {
		return 0
	}
	if s.heard {
		s.silent, s.heard = 0, false
		return 0
	}
	s.silent++
	now := s.e.now()
	if s.state == sessionOpen {
		s.sendPlain(now, kindPing, nil)
	}
	if s.silent == s.e.limit {
		s.giveUp(ErrUnreachable)
	}
	return s.silent
}

// close fails everything that waits. Called without mu.
func (s *session) close(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == sessionClosed {
		return
	}
	s.giveUp(cause)
	s.state, s.cause = sessionClosed, cause
	s.sender.release()
	s.partial = nil
	if s.timer != nil {
		s.timer.Stop()
	}
	close(s.done)
}

func (s *session) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// lose fails what waits for the peer. The session stays open.
func (s *session) lose(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveUp(cause)
}

// lastWords sends the acknowledgement that waits for a packet to ride on, and
// reports whether the peer has all that it was sent, or is past hearing it.
func (s *session) lastWords() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != sessionOpen || s.silent >= s.e.limit {
		return true
	}
	if s.together > 0 {
		s.flush(s.e.now())
	}
	if s.ackDue != 0 {
		s.sendAck(s.e.now())
	}
	return s.flying == 0 && s.short.first == nil && s.long.first == nil
}

// giveUp fails the calls and transfers that wait for the peer. Called with mu
// held.
func (s *session) giveUp(cause error) {
	s.failCalls(cause)
	s.failBulk(cause)
}

// sendPlain sends a frame that is not repeated. Called with mu held.
func (s *session) sendPlain(now time.Duration, k kind, payload []byte) {
	p := newPacket(payloadAt + len(payload))
	copy(p.buf[payloadAt:], payload)
	s.finish(p.buf, k, 0)
	s.alone[0].Head = p.buf
	if s.e.port.Send(s.alone[:]) == 0 {
		s.e.short.Add(1)
	}
	s.counts.FramesOut++
	s.counts.BytesOut += uint64(len(p.buf))
	p.free()
}

// finish writes everything before the payload of a frame, with the newest
// acknowledgement. Called with mu held.
func (s *session) finish(f []byte, k kind, number uint64) {
	putHeaders(f, &s.route, len(f), k, s.peerTag)
	binary.LittleEndian.PutUint64(f[packetAt:], number)
	binary.LittleEndian.PutUint64(f[ackAt:], s.upTo)
	if s.exact {
		binary.LittleEndian.PutUint32(f[crcAt:], 0)
	} else {
		seal(f)
	}
}

// send1 sends one frame that need not arrive.
func (e *endpoint) send1(f []byte) {
	one := [1]nic.Packet{{Head: f}}
	if e.port.Send(one[:]) == 0 {
		e.short.Add(1)
	}
}
