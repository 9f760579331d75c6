package rack

import (
	"encoding/binary"
	"time"
)

const (
	// ackDelay is how long an acknowledgement waits for a packet to ride on.
	ackDelay = time.Millisecond
	// ackEvery is how many packets may wait for theirs.
	ackEvery = 8
)

// receiver is the half of a session that takes packets in: each once, in any
// order.
type receiver struct {
	upTo    uint64           // every packet up to this one has arrived
	top     uint64           // the highest that has
	bits    [window / 8]byte // bit n%window: packet n, after upTo, has arrived
	waiting int              // packets that have not been acknowledged
	ackDue  time.Duration    // when to acknowledge; 0: nothing to
	partial map[partialKey]*partial
}

// arrived takes a reliable packet. Called with mu held.
func (s *session) arrived(now time.Duration, f []byte) {
	n := binary.LittleEndian.Uint64(f[packetAt:])
	bit, mask := &s.bits[n%window/8], byte(1)<<(n%8)
	switch {
	case n <= s.upTo || n <= s.upTo+window && *bit&mask != 0:
		s.e.drop(dropRepeat)
		s.counts.Duplicates++
		s.ackDue = now // the acknowledgement was lost
		return
	case n > s.upTo+window:
		s.e.drop(dropWindow)
		return
	case !checkPieces(f[payloadAt:]):
		s.e.drop(dropShort)
		return
	}
	*bit |= mask
	s.top = max(s.top, n)
	for {
		next := s.upTo + 1
		bit, mask := &s.bits[next%window/8], byte(1)<<(next%8)
		if *bit&mask == 0 {
			break
		}
		*bit &^= mask
		s.upTo = next
	}
	s.waiting++
	switch {
	case s.waiting >= ackEvery, n > s.upTo: // many, or a gap before it
		s.ackDue = now
	case s.ackDue == 0:
		s.ackDue = now + ackDelay
	}
	s.takeAll(now, f[payloadAt:])
}

// carriedAck is called when a frame that carries upTo has been made. While
// packets are missing that does not say enough.
func (s *session) carriedAck() {
	if s.top <= s.upTo {
		s.waiting, s.ackDue = 0, 0
	}
}

// sendAck tells which packets have arrived.
func (s *session) sendAck(now time.Duration) {
	s.sendPlain(now, kindAck, s.bits[:])
	s.waiting, s.ackDue = 0, 0
}
