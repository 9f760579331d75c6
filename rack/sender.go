package rack

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"nuos/drivers/nic"
)

// window is how many packet numbers may lie between the oldest packet that has
// not been acknowledged and the newest. Both sides keep one bit or slot each.
const window = 512

const (
	minCongestion  = 8
	maxCongestion  = 256 // no more than a card's ring holds
	firstRTO       = 50 * time.Millisecond
	minRTO         = 5 * time.Millisecond
	maxRTO         = 500 * time.Millisecond
	reorderPackets = 3 // so many later arrivals make a packet look lost
	sendBatch      = 32
)

// sender is the half of a session that makes packets arrive: it numbers them,
// keeps them until they are acknowledged and repeats them (RFC 6298 for the
// time-out, RFC 5681 for the congestion window, counted in packets).
type sender struct {
	next    uint64          // number of the next packet
	oldest  uint64          // every packet before it is acknowledged
	slots   [window]*packet // packets [oldest, next), nil when acknowledged
	flying  int             // packets not acknowledged
	short   messageQueue    // messages of one packet go first
	long    messageQueue
	open    *packet // takes messages until it is sent; it has no number before
	highest uint64  // highest number acknowledged

	srtt, rttvar, rto time.Duration
	congestion        float64 // packets that may be flying
	threshold         float64 // of slow start
	lossAt            time.Duration

	batch  [sendBatch]nic.Packet
	queued [sendBatch]*packet // whose frames are in batch
	n      int
}

func (d *sender) init() {
	d.next, d.oldest = 1, 1
	d.rto = firstRTO
	d.congestion, d.threshold = 32, maxCongestion
}

// packet is a frame that is kept until it is acknowledged.
type packet struct {
	buf       []byte
	number    uint64
	sent, due time.Duration
	tries     int
}

// Two pools, so that small packets do not hold jumbo buffers. A small one has room for several
// usual messages.
const smallPacket = 1 << 10

// largestPacket is a frame of the largest MTU that real cards have. Packets are kept until they
// are acknowledged, so larger ones would be memory to no purpose; pieces of bulk transfers,
// which are not kept, may be as large as the card takes.
const largestPacket = 9014

var (
	smallPackets = sync.Pool{New: func() any { return &packet{buf: make([]byte, smallPacket)} }}
	largePackets = sync.Pool{New: func() any { return &packet{buf: make([]byte, largestPacket)} }}
)

func newPacket(size int) *packet {
	pool := &largePackets
	if size <= smallPacket {
		pool = &smallPackets
	}
	p := pool.Get().(*packet)
	p.buf, p.tries = p.buf[:size], 0
	return p
}

func (p *packet) free() {
	if cap(p.buf) == smallPacket {
		smallPackets.Put(p)
	} else {
		largePackets.Put(p)
	}
}

// flush sends what the window allows and the acknowledgement if one is due.
// Called with mu held.
func (s *session) flush(now time.Duration) {
	if s.state != sessionOpen {
		if s.state != sessionClosed && s.state != sessionOpening && (s.short.first != nil || s.long.first != nil) {
			s.requestOpen(now)
		}
		return
	}
	for {
		m := s.short.first
		if m == nil {
			m = s.long.first
		}
		if m == nil || !s.takes(min(m.size-m.packed, s.room())) {
			break
		}
		s.pack(m)
	}
	s.gathered(now)
	s.closePacket()
	s.transmit(now)
	if s.ackDue != 0 {
		if now >= s.ackDue {
			s.sendAck(now)
		} else {
			s.arm(now, s.ackDue)
		}
	}
}

// takes reports whether a piece of n bytes, no more than room, fits into the open packet, or else
// the window allows another one.
func (s *session) takes(n int) bool {
	if s.open == nil {
		return s.flying < int(s.congestion) && s.next < s.oldest+window
	}
	return s.fits(n) || s.flying+1 < int(s.congestion) && s.next+1 < s.oldest+window
}

// fits reports whether a piece of n bytes fits into the open packet.
func (s *session) fits(n int) bool {
	return len(s.open.buf)+pieceHeaderLen+n <= min(cap(s.open.buf), s.mtu+etherLen)
}

// pack puts the next piece of m, which takes has accepted, into the open packet, or into a new one.
func (s *session) pack(m *message) {
	n := min(m.size-m.packed, s.room())
	if s.open != nil && !s.fits(n) {
		s.closePacket()
	}
	if s.open == nil {
		s.open = newPacket(dataAt + n)
		s.open.buf = s.open.buf[:payloadAt]
	}
	at := len(s.open.buf)
	b := s.open.buf[: at+pieceHeaderLen+n : cap(s.open.buf)]
	s.open.buf = b
	m.putHeader(b[at:], n)
	copy(b[at+pieceHeaderLen:], m.data[m.packed:])
	m.packed += n
	if m.packed == m.size {
		if m.queue != nil {
			m.queue.remove(m)
		}
		m.data = nil
	}
}

// closePacket gives the open packet, if there is one, its number.
func (s *session) closePacket() {
	p := s.open
	if p == nil {
		return
	}
	s.open = nil
	p.number = s.next
	s.next++
	s.slots[p.number%window] = p
	s.flying++
	s.finish(p.buf, kindMessages, p.number)
	s.carriedAck()
	s.stage(p)
}

// stage puts a packet into the batch, which transmit hands to the card.
func (s *session) stage(p *packet) {
	s.batch[s.n].Head, s.queued[s.n] = p.buf, p
	s.n++
	if s.n == sendBatch {
		s.transmit(s.e.now())
	}
}

// transmit hands the batch to the card. What it does not take is sent again
// when the timer fires: a full ring is no loss.
func (s *session) transmit(now time.Duration) {
	if s.n == 0 {
		return
	}
	took := s.e.port.Send(s.batch[:s.n])
	if took < s.n {
		s.e.short.Add(1)
	}
	earliest := time.Duration(math.MaxInt64)
	for i, p := range s.queued[:s.n] {
		p.sent = now
		p.due = now + min(s.rto<<min(p.tries, 6), maxRTO)
		if i < took {
			s.counts.FramesOut++
			s.counts.BytesOut += uint64(len(p.buf))
		} else {
			p.due = now + time.Millisecond
		}
		earliest = min(earliest, p.due)
		s.queued[i], s.batch[i].Head = nil, nil
	}
	s.n = 0
	s.arm(now, earliest)
}

// acked takes note that every packet up to upTo has arrived. Called with mu
// held.
func (s *session) acked(now time.Duration, upTo uint64) {
	if upTo < s.oldest || upTo >= s.next {
		return
	}
	for n := s.oldest; n <= upTo; n++ {
		s.landed(now, n, n == upTo)
	}
	s.advance()
}

// ackedSome takes the bitmap of kindAck: bit n%window stands for packet n, for
// those after the cumulative acknowledgement of the frame.
func (s *session) ackedSome(now time.Duration, f []byte) {
	if len(f) < payloadAt+window/8 {
		s.e.drop(dropShort)
		return
	}
	bits := f[payloadAt : payloadAt+window/8]
	upTo := binary.LittleEndian.Uint64(f[ackAt:])
	for n := max(s.oldest, upTo+1); n < s.next && n <= upTo+window; n++ {
		if bits[n%window/8]>>(n%8)&1 != 0 {
			s.landed(now, n, n > s.highest)
		}
	}
	s.advance()
	s.repeatOvertaken(now)
}

// landed frees packet n. Only packets sent once are timed (Karn).
func (s *session) landed(now time.Duration, n uint64, timed bool) {
	p := s.slots[n%window]
	s.highest = max(s.highest, n)
	if p == nil || p.number != n {
		return
	}
	if timed && p.tries == 0 {
		s.measured(now - p.sent)
	}
	s.slots[n%window] = nil
	s.flying--
	if s.congestion < s.threshold {
		s.congestion++
	} else {
		s.congestion += 1 / s.congestion
	}
	s.congestion = min(s.congestion, maxCongestion)
	p.free()
}

func (s *session) advance() {
	for s.oldest < s.next && s.slots[s.oldest%window] == nil {
		s.oldest++
	}
}

// measured folds a round trip into the estimate. The peer may take ackDelay
// before it acknowledges.
func (s *session) measured(rtt time.Duration) {
	if s.srtt == 0 {
		s.srtt, s.rttvar = rtt, rtt/2
	} else {
		s.rttvar += (max(s.srtt-rtt, rtt-s.srtt) - s.rttvar) / 4
		s.srtt += (rtt - s.srtt) / 8
	}
	s.rto = min(max(s.srtt+4*s.rttvar+ackDelay, minRTO), maxRTO)
	s.counts.RTT = s.srtt
}

// repeatOvertaken sends again, once a round trip, packets that later ones have
// overtaken.
func (s *session) repeatOvertaken(now time.Duration) {
	for n := s.oldest; n+reorderPackets < s.highest; n++ {
		if p := s.slots[n%window]; p != nil && now-p.sent > s.srtt+s.srtt/4 {
			s.again(now, p)
		}
	}
	s.transmit(now)
}

// repeat sends again what is overdue and returns when something will be.
func (s *session) repeat(now time.Duration) (next time.Duration) {
	for n := s.oldest; n < s.next; n++ {
		p := s.slots[n%window]
		if p == nil {
			continue
		}
		if now >= p.due {
			s.again(now, p)
		}
		if next == 0 || p.due < next {
			next = p.due
		}
	}
	s.transmit(now)
	return next
}

func (s *session) again(now time.Duration, p *packet) {
	p.tries++
	s.counts.Repeated++
	if now-s.lossAt > s.srtt { // once a round trip
		s.lossAt = now
		s.congestion = max(s.congestion/2, minCongestion)
		s.threshold = s.congestion
	}
	s.stage(p)
}

// room is how many bytes of a message fit into a packet.
func (s *session) room() int { return min(s.mtu+etherLen, largestPacket) - dataAt }

// release frees everything. Called with mu held, when the session closes.
func (d *sender) release() {
	for i, p := range d.slots {
		if p != nil {
			p.free()
			d.slots[i] = nil
		}
	}
	if d.open != nil {
		d.open.free()
		d.open = nil
	}
	d.flying = 0
	d.short, d.long = messageQueue{}, messageQueue{}
}
