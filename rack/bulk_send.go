package rack

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"time"

	"nuos/drivers/nic"
	"nuos/mm"
)

// bulkOut is a transfer that this machine sends.
type bulkOut struct {
	outcome
	extent
	size   int           // of a piece
	count  uint32        // of pieces
	wake   chan struct{} // there is something to send
	sum    []byte        // the receiver's checksum, if it made one
	serial uint32        // of the last grant
	next   uint32        // the first piece never sent
	high   uint32        // pieces below it are granted
	repair []uint32      // pieces to send again
}

// sendBulk sends the bytes of src, and returns when the receiver has them all
// or the transfer has failed, in either case not before the card has ceased to
// read src.
func (s *session) sendBulk(ctx context.Context, transfer uint64, src []mm.Range) error {
	b := &bulkOut{extent: newExtent(src), wake: make(chan struct{}, 1)}
	b.over = make(chan struct{})
	if b.extent.size > maxBulk {
		return ErrTooLarge
	}
	s.mu.Lock()
	if err := s.mayBulk(); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.out[transfer] != nil {
		s.mu.Unlock()
		return ErrTransferBusy
	}
	s.out[transfer] = b
	s.counts.BulkOut++
	if e := s.takeEarly(transfer); e != nil {
		switch {
		case e.aborted:
			s.bulkAborted(transfer, abortByReceiver)
		case e.done != nil:
			s.bulkDone(transfer, e.done)
		default:
			s.granted(e.grant)
		}
	}
	s.mu.Unlock()

	w := pieceWriter{s: s, b: b, transfer: transfer}
	w.run(ctx)
	w.drain()
	if b.err == nil && len(b.sum) == 4 && binary.LittleEndian.Uint32(b.sum) != b.crc() {
		return ErrCorrupt
	}
	return b.err
}

// mayBulk reports why no transfer can begin, and sees to it that the session
// is open. Called with mu held.
func (s *session) mayBulk() error {
	switch {
	case s.state == sessionClosed:
		return s.cause
	case s.silent >= s.e.limit:
		return ErrUnreachable
	case s.state == sessionIdle:
		s.requestOpen(s.e.now())
	}
	return nil
}

// granted takes a grant. Called with mu held.
func (s *session) granted(f []byte) {
	le := binary.LittleEndian
	if len(f) < payloadAt+grantLen {
		s.e.drop(dropShort)
		return
	}
	g := f[payloadAt:]
	listed := int(le.Uint16(g[24:]))
	if len(g) < grantLen+4*listed {
		s.e.drop(dropShort)
		return
	}
	transfer := le.Uint64(g)
	b := s.out[transfer]
	if b == nil {
		s.earlyOf(transfer).grant = append([]byte(nil), f...)
		return
	}
	size, serial, high := int(le.Uint16(g[26:])), le.Uint32(g[16:]), le.Uint32(g[20:])
	if le.Uint64(g[8:]) != b.extent.size || size <= 0 || size > s.mtu+etherLen-pieceAt {
		s.endOut(transfer)
		s.postBulk(kindBulkAbort, transfer, abortSize, nil)
		b.finish(ErrBulkSize)
		return
	}
	if b.size == 0 {
		b.size, b.count = size, b.pieces(size)
	}
	if serial <= b.serial || size != b.size {
		s.e.drop(dropBulk)
		return
	}
	b.serial = serial
	b.high = max(b.high, min(high, b.count))
	b.repair = b.repair[:0]
	for i := range listed {
		if n := le.Uint32(g[grantLen+4*i:]); n < b.next {
			b.repair = append(b.repair, n)
		}
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// pieceWriter sends pieces on the goroutine of the caller of SendBulk, straight
// from the source.
type pieceWriter struct {
	s        *session
	b        *bulkOut
	transfer uint64
	heads    [sendBatch][pieceAt]byte
	gathers  [sendBatch][]mm.Range
	indexes  [sendBatch]uint32
	batch    [sendBatch]nic.Packet
	sent     bool
}

// run sends what is granted until the transfer is over.
func (w *pieceWriter) run(ctx context.Context) {
	s, b := w.s, w.b
	idle := 0
	for !b.isOver() {
		if n := w.pick(); n > 0 {
			w.write(n)
			idle = 0
			continue
		}
		if idle++; idle < spinPolls && ctx.Err() == nil {
			if s.e.port.Poll() == 0 && idle%8 == 7 {
				runtime.Gosched()
			}
			continue
		}
		select {
		case <-b.over:
		case <-b.wake:
			idle = 0
		case <-ctx.Done():
			s.mu.Lock()
			if s.out[w.transfer] == b {
				s.endOut(w.transfer)
				s.postBulk(kindBulkAbort, w.transfer, abortBySender, nil)
				b.finish(ctx.Err())
			}
			s.mu.Unlock()
		}
	}
}

// pick chooses the next pieces to send.
func (w *pieceWriter) pick() (n int) {
	s, b := w.s, w.b
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < sendBatch && len(b.repair) > 0 {
		w.indexes[n] = b.repair[0]
		b.repair = b.repair[1:]
		s.counts.Repeated++
		n++
	}
	for n < sendBatch && b.next < b.high {
		w.indexes[n] = b.next
		b.next++
		n++
	}
	s.counts.FramesOut += uint64(n)
	return n
}

// write sends n picked pieces. A full ring is waited for.
func (w *pieceWriter) write(n int) {
	s, b := w.s, w.b
	most := s.e.port.Info().MaxPieces
	for i, index := range w.indexes[:n] {
		at, length := uint64(index)*uint64(b.size), b.length(index, b.size)
		w.gathers[i] = b.slice(w.gathers[i][:0], at, length)
		head := w.heads[i][:]
		if pages(w.gathers[i]) > most {
			// Too scattered for the card: copy. Never for heaps, whose
			// ranges are whole pages.
			head = append(head, make([]byte, 0, length)...)
			for _, r := range w.gathers[i] {
				head = append(head, memory(r)...)
			}
			w.gathers[i] = w.gathers[i][:0]
		}
		w.head(head, index, length, w.gathers[i])
		w.batch[i] = nic.Packet{Head: head, Gather: w.gathers[i]}
	}
	w.sent = true
	left := w.batch[:n]
	for tries := 0; ; tries++ {
		left = left[s.e.port.Send(left):]
		if len(left) == 0 || w.b.isOver() {
			return
		}
		s.e.short.Add(1)
		s.e.port.Poll()
		if tries < 16 {
			runtime.Gosched()
		} else {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// pages is how many pages, and so at most how many pieces for the card, the
// ranges touch.
func pages(ranges []mm.Range) (n int) {
	for _, r := range ranges {
		n += int((r.End()-1)/mm.PageSize-r.Base/mm.PageSize) + 1
	}
	return n
}

// head writes the headers of a piece and, if the card needs it, the CRC of all of it. They carry no
// acknowledgement, so the session need not be locked: its route and tag do not
// change once it is open, and nobody grants before.
func (w *pieceWriter) head(f []byte, index uint32, length int, gather []mm.Range) {
	s := w.s
	putHeaders(f, &s.route, pieceAt+length, kindPiece, s.peerTag)
	binary.LittleEndian.PutUint64(f[packetAt:], 0)
	binary.LittleEndian.PutUint64(f[ackAt:], 0)
	putPieceHeader(f, w.transfer, index, length)
	if s.e.exact {
		binary.LittleEndian.PutUint32(f[crcAt:], 0)
		return
	}
	crc := frameCRC(f)
	for _, r := range gather {
		crc = crc32.Update(crc, castagnoli, memory(r))
	}
	binary.LittleEndian.PutUint32(f[crcAt:], crc)
}

// drain returns when the card no longer reads any page that was given to it.
func (w *pieceWriter) drain() {
	if !w.sent {
		return
	}
	queued, done := w.s.e.port.Completed()
	for tries := 0; done < queued; tries++ {
		if tries < 64 {
			runtime.Gosched()
		} else {
			time.Sleep(100 * time.Microsecond)
		}
		_, done = w.s.e.port.Completed()
	}
}
