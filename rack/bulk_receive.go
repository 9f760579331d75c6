package rack

import (
	"context"
	"encoding/binary"
	"math/bits"
	"runtime"
	"time"

	"nuos/drivers/nic"
	"nuos/mm"
)

// bulkIn is a transfer that this machine receives.
type bulkIn struct {
	outcome
	extent
	size   int      // of a piece
	count  uint32   // of pieces
	have   []uint64 // a bit for each piece
	got    uint32   // bits set
	low    uint32   // every piece below is there
	high   uint32   // pieces below are granted
	serial uint32   // of the last grant
	grant  uint32   // pieces that may be on the wire

	heard    time.Duration // a piece came last
	repaired time.Duration // pieces were asked for again last
	silence  time.Duration // after which they are
	into     []mm.Range    // scratch

	pushed bool        // the sender has begun unasked
	late   bool        // and what it has sent so is lost
	told   func(error) // is called when it is over; nil: somebody waits
}

// Bounds of the time after which a silent sender is asked again.
const (
	minBulkSilence = 2 * time.Millisecond
	maxBulkSilence = 100 * time.Millisecond
)

// receiveBulk fills dst and returns when everything is there.
func (s *session) receiveBulk(ctx context.Context, transfer uint64, dst []mm.Range) error {
	b := &bulkIn{extent: newExtent(dst), grant: firstGrant}
	b.over = make(chan struct{})
	if err := s.enterIn(transfer, b); err != nil {
		return err
	}

	idle := 0
	for idle < spinPolls && !b.isOver() && ctx.Err() == nil {
		idle++
		if s.e.port.Poll() > 0 {
			idle = 0
		} else if idle%8 == 7 {
			runtime.Gosched()
		}
	}
	timer := time.NewTimer(minBulkSilence)
	defer timer.Stop()
	for !b.isOver() {
		select {
		case <-b.over:
		case <-timer.C:
			s.mu.Lock()
			wait := s.checkSilence(transfer, b)
			s.mu.Unlock()
			timer.Reset(wait)
		case <-ctx.Done():
			s.abortIn(transfer, b, ctx.Err())
		}
	}
	return b.err
}

// beginReceive is receiveBulk of a transfer whose sender pushes, without waiting: told is called
// when it is over, on the poller as a rule.
func (s *session) beginReceive(transfer uint64, dst []mm.Range, late bool, told func(error)) {
	b := &bulkIn{extent: newExtent(dst), grant: firstGrant, pushed: true, late: late, told: told}
	if err := s.enterIn(transfer, b); err != nil {
		told(err)
	}
}

// abortReceive gives up what beginReceive began, unless it is over.
func (s *session) abortReceive(transfer uint64) {
	s.mu.Lock()
	b := s.in[transfer]
	s.mu.Unlock()
	if b != nil {
		s.abortIn(transfer, b, ErrAborted)
	}
}

// enterIn adds a transfer to those that are received.
func (s *session) enterIn(transfer uint64, b *bulkIn) error {
	if b.extent.size > maxBulk {
		return ErrTooLarge
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayBulk(); err != nil {
		return err
	}
	if s.in[transfer] != nil {
		return ErrTransferBusy
	}
	s.in[transfer] = b
	s.counts.BulkIn++
	s.e.incoming.Add(1)
	if b.told != nil {
		now := s.e.now()
		s.arm(now, now+minBulkSilence) // for listen
	}
	s.beginBulk(transfer, b)
	return nil
}

// listen looks whether the senders of transfers are silent that nobody waits for, and returns
// when to look next; 0: there are none. Called with mu held.
func (s *session) listen(now time.Duration) (next time.Duration) {
	for transfer, b := range s.in {
		if b.told == nil {
			continue
		}
		if at := now + s.checkSilence(transfer, b); next == 0 || at < next {
			next = at
		}
	}
	return next
}

// endIn takes a transfer out of the table of those that are received, and returns it if
// somebody is to be told, without the session's lock. Called with mu held.
func (s *session) endIn(transfer uint64, b *bulkIn, err error) (told *bulkIn) {
	delete(s.in, transfer)
	s.e.incoming.Add(-1)
	if b.told == nil {
		b.finish(err)
		return nil
	}
	b.err = err
	return b
}

// breakIn is endIn of a transfer that has failed. Called with mu held.
func (s *session) breakIn(transfer uint64, b *bulkIn, cause error) {
	if s.endIn(transfer, b, cause) != nil {
		go b.told(cause)
	}
}

// abortIn gives up a transfer that is received, unless it is over.
func (s *session) abortIn(transfer uint64, b *bulkIn, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in[transfer] == b {
		s.postBulk(messageBulkAbort, transfer, abortByReceiver, nil)
		s.breakIn(transfer, b, cause)
	}
}

// beginBulk sends the first grant, once the session is open and its MTU is
// known. Called with mu held.
func (s *session) beginBulk(transfer uint64, b *bulkIn) {
	if s.state != sessionOpen || b.size != 0 {
		return
	}
	b.size = s.pieceSize()
	b.count = b.pieces(b.size)
	b.have = make([]uint64, (b.count+63)/64)
	now := s.e.now()
	b.heard = now
	if b.count == 0 {
		if s.completeBulk(transfer, b) != nil {
			go b.told(nil)
		}
		return
	}
	if b.pushed {
		b.high = pushedPieces(b.count, b.size)
	}
	if !b.pushed || b.late {
		s.sendGrant(now, transfer, b, b.high)
	}
}

// piece takes a piece into its place. Called with mu held.
func (s *session) piece(now time.Duration, f []byte, rest [][]byte) {
	if len(f) < pieceAt {
		s.e.drop(dropShort)
		return
	}
	le := binary.LittleEndian
	transfer, index, length := le.Uint64(f[payloadAt:]), le.Uint32(f[payloadAt+8:]), int(le.Uint32(f[payloadAt+12:]))
	b := s.in[transfer]
	if b == nil || b.size == 0 || index >= b.high {
		s.e.drop(dropBulk)
		return
	}
	there := nic.Frame{Bytes: f[pieceAt:], Rest: rest}
	if length != there.Len() || length != b.length(index, b.size) {
		s.e.drop(dropShort)
		return
	}
	b.heard = now
	if b.has(index) {
		s.e.drop(dropRepeat)
		s.counts.Duplicates++
		return
	}
	b.into = b.slice(b.into[:0], uint64(index)*uint64(b.size), length)
	from := f[pieceAt:]
	for _, r := range b.into {
		for to := memory(r); len(to) > 0; {
			for len(from) == 0 {
				from, rest = rest[0], rest[1:]
			}
			n := copy(to, from)
			to, from = to[n:], from[n:]
		}
	}
	b.have[index/64] |= 1 << (index % 64)
	b.got++
	s.counts.BulkBytesIn += uint64(length)
	for b.low < b.count && b.has(b.low) {
		b.low++
	}
	switch {
	case b.got == b.count:
		if s.completeBulk(transfer, b) != nil {
			s.e.work = append(s.e.work, errand{received: b})
		}
	case index > b.low+reorderBulk && now-b.repaired > s.roundTrip()+s.roundTrip()/2:
		s.repairBulk(now, transfer, b, index-reorderBulk)
	case b.high < b.count && b.high-b.got <= b.most(s)/2:
		b.grant = min(b.grant+b.grant/4+1, maxGrant)
		s.sendGrant(now, transfer, b, 0)
	}
}

func (b *bulkIn) has(i uint32) bool { return b.have[i/64]>>(i%64)&1 != 0 }

// most is how many pieces may be on the wire now: what has proved good, within
// this transfer's share of what the card can hold.
func (b *bulkIn) most(s *session) uint32 {
	share := uint32(maxGrant / max(s.e.incoming.Load(), 1))
	return max(min(max(min(b.grant, share), minGrant), uint32(grantBytes/b.size)), leastGrant)
}

// repairBulk asks again for the missing pieces below a given one.
func (s *session) repairBulk(now time.Duration, transfer uint64, b *bulkIn, below uint32) {
	b.repaired = now
	b.grant = max(b.grant/2, minGrant)
	s.sendGrant(now, transfer, b, below)
}

// sendGrant grants what may be on the wire, and names the missing pieces below
// a given one. Called with mu held.
func (s *session) sendGrant(now time.Duration, transfer uint64, b *bulkIn, below uint32) {
	b.high = max(b.high, min(b.count, b.got+b.most(s)))
	b.serial++
	g := make([]byte, grantLen, grantLen+64)
	le := binary.LittleEndian
	listed := 0
	room := min(maxMissing, (s.mtu+etherLen-payloadAt-grantLen)/4)
	for w := b.low / 64; w < uint32(len(b.have)) && w*64 < below && listed < room; w++ {
		for missing := ^b.have[w]; missing != 0 && listed < room; missing &= missing - 1 {
			i := w*64 + uint32(bits.TrailingZeros64(missing))
			if i >= below {
				break
			}
			if i >= b.low {
				g = le.AppendUint32(g, i)
				listed++
			}
		}
	}
	le.PutUint64(g[0:], transfer)
	le.PutUint64(g[8:], b.extent.size)
	le.PutUint32(g[16:], b.serial)
	le.PutUint32(g[20:], b.high)
	le.PutUint32(g[24:], uint32(listed))
	le.PutUint32(g[28:], uint32(b.size))
	s.sendPlain(now, kindGrant, g)
}

// completeBulk ends a transfer whose pieces are all there; see endIn. Called with mu held.
func (s *session) completeBulk(transfer uint64, b *bulkIn) (told *bulkIn) {
	var sum []byte
	if s.e.verifyBulk {
		sum = binary.LittleEndian.AppendUint32(nil, b.crc())
	}
	s.postBulk(messageBulkDone, transfer, statusOK, sum)
	return s.endIn(transfer, b, nil)
}

// checkSilence asks again when the sender has been silent for too long, and
// returns when to look next. Called with mu held.
func (s *session) checkSilence(transfer uint64, b *bulkIn) time.Duration {
	if s.in[transfer] != b {
		return maxBulkSilence
	}
	if b.size == 0 {
		s.beginBulk(transfer, b)
		return minBulkSilence
	}
	now := s.e.now()
	least := min(max(minBulkSilence, 3*s.roundTrip()), maxBulkSilence)
	b.silence = max(b.silence, least)
	quiet := now - max(b.heard, b.repaired)
	if quiet < b.silence {
		return b.silence - quiet
	}
	if b.heard > b.repaired {
		b.silence = least
	} else { // it was asked before, in vain
		b.silence = min(b.silence*2, maxBulkSilence)
	}
	s.repairBulk(now, transfer, b, b.high)
	return b.silence
}
