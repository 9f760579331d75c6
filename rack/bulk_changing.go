package rack

import (
	"context"

	"nuos/drivers/nic/port"
	"nuos/mm"
)

// Memory that somebody writes is sent like other memory, if the card's frames have no
// checksums. Otherwise a piece is copied before it is sent: the checksum would not be that of
// what the card reads, and of a piece that is written all the time never.

// sendChanging is sendBulk for memory that somebody writes meanwhile.
func (s *session) sendChanging(ctx context.Context, transfer uint64, src []mm.Range) error {
	b := &bulkOut{extent: newExtent(src), changing: true}
	if !s.e.exact {
		b.still = new(stillPieces)
	}
	return s.sendTransfer(ctx, transfer, b)
}

// stillPieces is where pieces are copied to: two batches, which take turns. One is written
// while the card reads the other. A nil one has nothing to wait for.
type stillPieces struct {
	copies [2][sendBatch]mm.Range
	queued [2]uint64 // packets that the card must have completed before the copies are overwritten
	turn   int
	full   bool // the card has not completed those of the next batch
}

// waits reports whether the card has to complete something before more can be sent.
func (c *stillPieces) waits() bool { return c != nil && c.full }

// room reports whether the copies of the next batch can be made.
func (c *stillPieces) room(p *port.Port) bool {
	if c == nil {
		return true
	}
	_, done := p.Completed()
	c.full = done < c.queued[c.turn]
	return !c.full
}

// batchSent says that the card has been given all of a batch.
func (c *stillPieces) batchSent(p *port.Port) {
	if c != nil {
		c.queued[c.turn], _ = p.Completed()
		c.turn ^= 1
	}
}

// copy copies the i-th piece of a batch. Without memory for that the transfer ends, and copy
// reports false.
func (w *pieceWriter) copy(i, length int) bool {
	r := &w.still.copies[w.still.turn][i]
	if r.Size == 0 {
		whole, err := mm.AllocDMA(uint64(w.b.size))
		if err != nil {
			w.giveUp(err)
			return false
		}
		*r = whole
		w.copies = append(w.copies, whole)
	}
	gatherInto(&w.gathers[i], mm.Range{Base: r.Base, Size: uint64(length)})
	return true
}

// gatherInto copies a piece to r, which is what is gathered then.
func gatherInto(gather *[]mm.Range, r mm.Range) {
	to := mm.Bytes(r)
	for _, from := range *gather {
		to = to[copy(to, memory(from)):]
	}
	*gather = append((*gather)[:0], r)
}
