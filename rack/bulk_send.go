package rack

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"sync"
	"time"

	"nuos/drivers/nic"
	"nuos/mm"
)

// bulkOut is a transfer that this machine sends.
type bulkOut struct {
	outcome
	extent
	push     bool         // the first pieces need no grant
	changing bool         // somebody writes it meanwhile
	still    *stillPieces // not nil: every piece is copied before it is sent
	writer   *pieceWriter
	size     int           // of a piece
	count    uint32        // of pieces
	wake     chan struct{} // there is something to send
	sum      []byte        // the receiver's checksum, if it made one
	serial   uint32        // of the last grant
	next     uint32        // the first piece never sent
	high     uint32        // pieces below it are granted
	repair   []uint32      // pieces to send again
}

// sendBulk sends the bytes of src, and returns when the receiver has them all
// or the transfer has failed, in either case not before the card has ceased to
// read src.
func (s *session) sendBulk(ctx context.Context, transfer uint64, src []mm.Range) error {
	return s.sendTransfer(ctx, transfer, &bulkOut{extent: newExtent(src)})
}

// pushBulk is sendBulk that does not wait for a grant to begin.
func (s *session) pushBulk(ctx context.Context, transfer uint64, src []mm.Range) error {
	return s.sendTransfer(ctx, transfer, &bulkOut{extent: newExtent(src), push: true})
}

func (s *session) sendTransfer(ctx context.Context, transfer uint64, b *bulkOut) error {
	b.over, b.wake = make(chan struct{}), make(chan struct{}, 1)
	if b.extent.size > maxBulk {
		return ErrTooLarge
	}
	w := writers.Get().(*pieceWriter)
	defer writers.Put(w)
	w.begin(s, b, transfer)
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
	if b.push && s.state == sessionOpen {
		b.size = s.pieceSize()
		b.count = b.pieces(b.size)
		b.high = pushedPieces(b.count, b.size)
	}
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

	w.run(ctx)
	w.drain()
	if b.err == nil && !b.changing && len(b.sum) == 4 && binary.LittleEndian.Uint32(b.sum) != b.crc() {
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

// granted takes a grant, and returns who is to send what is granted. Called with mu held.
func (s *session) granted(f []byte) (w *pieceWriter) {
	le := binary.LittleEndian
	if len(f) < payloadAt+grantLen {
		s.e.drop(dropShort)
		return nil
	}
	g := f[payloadAt:]
	listed := int(le.Uint32(g[24:]))
	if listed > maxMissing || len(g) < grantLen+4*listed {
		s.e.drop(dropShort)
		return nil
	}
	transfer := le.Uint64(g)
	b := s.out[transfer]
	if b == nil {
		s.earlyOf(transfer).grant = append([]byte(nil), f...)
		return nil
	}
	size, serial, high := int(le.Uint32(g[28:])), le.Uint32(g[16:]), le.Uint32(g[20:])
	if le.Uint64(g[8:]) != b.extent.size || size <= 0 || size > s.pieceSize() || size < b.size && b.serial == 0 {
		s.endOut(transfer)
		s.postBulk(messageBulkAbort, transfer, abortSize, nil)
		b.finish(ErrBulkSize)
		return nil
	}
	if b.size == 0 {
		b.size, b.count = size, b.pieces(size)
	}
	if serial <= b.serial || size != b.size {
		s.e.drop(dropBulk)
		return nil
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
	return b.writer
}

// pieceWriter sends pieces, straight from the source: on the goroutine of the caller of
// SendBulk, and on the poller that has taken a grant, which need not wait for the former
// to run.
type pieceWriter struct {
	s        *session
	b        *bulkOut
	transfer uint64

	mu      sync.Mutex // outside of the session's
	heads   [sendBatch][pieceAt]byte
	gathers [sendBatch][]mm.Range
	indexes [sendBatch]uint32
	batch   [sendBatch]nic.Packet
	left    []nic.Packet // of batch: what the card has not taken so far
	sent    bool
	ended   bool         // nothing is sent any more
	copies  []mm.Range   // of pieces that were too scattered for the card
	still   *stillPieces // of the transfer
}

// writers are used again: they are large, and their memory would be new to the processor
// each time.
var writers = sync.Pool{New: func() any { return &pieceWriter{ended: true} }}

// begin makes w the writer of a transfer. A poller that has taken the last grant of its former
// one may come only now.
func (w *pieceWriter) begin(s *session, b *bulkOut, transfer uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.s, w.b, w.transfer = s, b, transfer
	w.left, w.sent, w.ended, w.copies, w.still = nil, false, false, nil, b.still
	b.writer = w
}

// run sends what is granted until the transfer is over.
func (w *pieceWriter) run(ctx context.Context) {
	s, b := w.s, w.b
	idle, full := 0, 0
	for !b.isOver() {
		w.mu.Lock()
		sent := w.send()
		stuck := len(w.left) > 0 || w.still.waits()
		w.mu.Unlock()
		if sent {
			idle, full = 0, 0
		}
		if stuck { // the card is full, which is waited for
			s.e.port.Poll()
			if full++; full < 16 {
				runtime.Gosched()
			} else {
				time.Sleep(100 * time.Microsecond)
			}
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
			w.giveUp(ctx.Err())
		}
	}
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
}

// grantTaken sends what a grant allows, on the poller, unless somebody is at it.
func (w *pieceWriter) grantTaken() {
	if w.mu.TryLock() {
		if !w.ended {
			w.send()
		}
		w.mu.Unlock()
	}
}

// send sends what is granted, as far as the card takes it, and reports whether that was
// something. Called with mu held.
func (w *pieceWriter) send() (some bool) {
	for !w.b.isOver() {
		if len(w.left) == 0 {
			if !w.still.room(w.s.e.port) {
				break
			}
			n := w.pick()
			if n == 0 || !w.write(n) {
				break
			}
		}
		took := w.s.e.port.Send(w.left)
		w.left = w.left[took:]
		some = some || took > 0
		if len(w.left) == 0 {
			w.still.batchSent(w.s.e.port)
		}
		if len(w.left) > 0 {
			w.s.e.short.Add(1)
			break
		}
	}
	return some
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

// write makes packets of n picked pieces. It reports false if the transfer cannot go on.
func (w *pieceWriter) write(n int) bool {
	b := w.b
	most := w.s.e.port.Info().MaxPieces
	for i, index := range w.indexes[:n] {
		at, length := uint64(index)*uint64(b.size), b.length(index, b.size)
		w.gathers[i] = b.slice(w.gathers[i][:0], at, length)
		switch {
		case w.still != nil:
			if !w.copy(i, length) {
				return false
			}
		case pages(w.gathers[i]) > most:
			if !w.collect(&w.gathers[i], length) {
				return false
			}
		}
		head := w.heads[i][:]
		w.head(head, index, length, w.gathers[i])
		w.batch[i] = nic.Packet{Head: head, Gather: w.gathers[i]}
	}
	w.sent = true
	w.left = w.batch[:n]
	return true
}

// collect copies a piece that is too scattered for the card. That is never one of a heap,
// whose ranges are whole pages. Without memory for it the transfer ends, and collect
// reports false.
func (w *pieceWriter) collect(gather *[]mm.Range, length int) bool {
	r, err := mm.AllocDMA(uint64(length))
	if err != nil {
		w.giveUp(err)
		return false
	}
	w.copies = append(w.copies, r)
	gatherInto(gather, r)
	return true
}

// giveUp ends the transfer, unless it is over.
func (w *pieceWriter) giveUp(cause error) {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out[w.transfer] == w.b {
		s.endOut(w.transfer)
		s.postBulk(messageBulkAbort, w.transfer, abortBySender, nil)
		w.b.finish(cause)
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
	if s.exact {
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
	defer func() {
		for _, r := range w.copies {
			mm.FreeDMA(r)
		}
	}()
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
