package rack

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"sort"
	"time"
	"unsafe"

	"nuos/mm"
)

// A bulk transfer carries the bytes of the source ranges, in order, into the
// destination ranges. The receiver drives it. It cuts the whole into pieces of
// a size that both sides know from the session's MTU, grants so many of them
// as it wants on the wire, and names those that it misses; the sender answers
// grants. So nothing is sent that has no place to go, and a sender needs no
// timer and keeps nothing but how far it got.
//
// The first pieces may be pushed: sent unasked, right behind a request that tells the receiver
// of the transfer. If its handler takes the transfer at once, on the poller, they find their
// place without a round trip; otherwise they are dropped, and the first grant asks for them again.
//
// Body of kindGrant:
//
//	 0  transfer                                   8
//	 8  bytes of the whole                         8
//	16  serial number of the grant                 4
//	20  pieces below this one may be sent          4
//	24  number of missing pieces listed            4
//	28  bytes of a piece                           4
//	32  pieces to send again                       4 each
//
// Body of kindPiece: transfer 8, index 4, bytes of the piece 4, the bytes.
const (
	grantLen = 32
	pieceAt  = payloadAt + 16

	firstGrant  = 64        // pieces
	minGrant    = 8         // pieces
	maxGrant    = 256       // pieces on the wire for all transfers from all machines
	grantBytes  = 512 << 10 // and bytes of one transfer, unless that is less than
	leastGrant  = 2         // pieces, so that one is on the way while another is copied
	reorderBulk = 16        // so many later pieces make one look lost
	maxMissing  = 256       // pieces named by one grant
	pushBytes   = 128 << 10 // that are sent unasked, or one piece
)

// pushedPieces is how many pieces of a transfer that has so many, of so many bytes, are pushed.
func pushedPieces(count uint32, size int) uint32 {
	return min(count, uint32(max(pushBytes/size, 1)), firstGrant)
}

// maxBulk is the most bytes of one transfer: an index has 32 bits.
const maxBulk = math.MaxUint32 * 1024

// bulkTable is the bulk transfers of a session.
type bulkTable struct {
	out map[uint64]*bulkOut
	in  map[uint64]*bulkIn
	// early is what arrived for transfers that nobody here has begun to send.
	early      map[uint64]*earlyBulk
	earlyOrder []uint64
	// finished are the transfers that we have sent last, whose grants may
	// still be on the way.
	finished [64]uint64
	ended    int
}

type earlyBulk struct {
	grant   []byte
	done    []byte // not nil: everything is there
	aborted bool
}

// maxEarly bounds what a peer can make us remember.
const maxEarly = 128

func (t *bulkTable) init() {
	t.out, t.in, t.early = map[uint64]*bulkOut{}, map[uint64]*bulkIn{}, map[uint64]*earlyBulk{}
}

// earlyOf returns the place to note something about a transfer that nobody here
// has begun to send.
func (t *bulkTable) earlyOf(transfer uint64) *earlyBulk {
	e := t.early[transfer]
	if slices.Contains(t.finished[:], transfer) {
		return &earlyBulk{} // late, not early
	}
	if e == nil {
		if len(t.earlyOrder) == maxEarly {
			delete(t.early, t.earlyOrder[0])
			t.earlyOrder = append(t.earlyOrder[:0], t.earlyOrder[1:]...)
		}
		e = &earlyBulk{}
		t.early[transfer] = e
		t.earlyOrder = append(t.earlyOrder, transfer)
	}
	return e
}

// endOut takes a transfer out of the table of those that we send.
func (t *bulkTable) endOut(transfer uint64) {
	delete(t.out, transfer)
	t.finished[t.ended%len(t.finished)] = transfer
	t.ended++
}

// takeEarly returns, once, what arrived before the transfer began.
func (t *bulkTable) takeEarly(transfer uint64) *earlyBulk {
	e := t.early[transfer]
	if e == nil {
		return nil
	}
	delete(t.early, transfer)
	for i, id := range t.earlyOrder {
		if id == transfer {
			t.earlyOrder = append(t.earlyOrder[:i], t.earlyOrder[i+1:]...)
			break
		}
	}
	return e
}

// pieceSize is how many bytes a piece has at most: whole pages if one fits, else whole
// cache lines.
func (s *session) pieceSize() int {
	n := max(s.mtu+etherLen-pieceAt, s.e.port.Info().MaxGather)
	if n >= mm.PageSize {
		return n &^ (mm.PageSize - 1)
	}
	return n &^ 63
}

// extent is a list of ranges seen as one run of bytes.
type extent struct {
	ranges []mm.Range
	starts []uint64 // where each range begins in the run
	size   uint64
}

func newExtent(ranges []mm.Range) extent {
	x := extent{}
	for _, r := range ranges {
		if r.Size == 0 {
			continue
		}
		x.ranges = append(x.ranges, r)
		x.starts = append(x.starts, x.size)
		x.size += r.Size
	}
	return x
}

// slice appends to into the ranges that are bytes [from, from+n) of the run.
func (x *extent) slice(into []mm.Range, from uint64, n int) []mm.Range {
	i := sort.Search(len(x.starts), func(i int) bool { return x.starts[i] > from }) - 1
	for n > 0 {
		r := x.ranges[i]
		skip := from - x.starts[i]
		size := min(r.Size-skip, uint64(n))
		into = append(into, mm.Range{Base: r.Base + mm.Virt(skip), Size: size})
		n -= int(size)
		from += size
		i++
	}
	return into
}

func (x *extent) crc() uint32 {
	var crc uint32
	for _, r := range x.ranges {
		crc = crc32.Update(crc, castagnoli, memory(r))
	}
	return crc
}

// pieces is how many pieces the run has.
func (x *extent) pieces(size int) uint32 {
	return uint32((x.size + uint64(size) - 1) / uint64(size))
}

// length of piece i.
func (x *extent) length(i uint32, size int) int {
	return int(min(uint64(size), x.size-uint64(i)*uint64(size)))
}

// memory is the bytes of r. To make a pointer of an address that none was made
// from is sound: what transfers name lies outside Go's heap, where nothing
// moves, and is mapped until the transfer is over (the contract of SendBulk and
// ReceiveBulk).
func memory(r mm.Range) []byte {
	base := r.Base
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&base)), r.Size)
}

// failBulk ends every transfer with cause. Called with mu held.
func (s *session) failBulk(cause error) {
	for id, b := range s.out {
		s.endOut(id)
		b.finish(cause)
	}
	for id, b := range s.in {
		s.breakIn(id, b, cause)
	}
}

// postBulk sends messageBulkDone or messageBulkAbort. Called with mu held.
func (s *session) postBulk(k messageKind, transfer uint64, st status, data []byte) {
	s.post(&message{kind: k, id: transfer, status: st, data: data})
	s.flush(s.e.now())
}

// The status of messageBulkAbort says which side gives up.
const (
	abortBySender   status = 1
	abortByReceiver status = 2
	abortSize       status = 3 // a receiver that wants another size
)

// bulkDone notes that the receiver has everything. Called with mu held.
func (s *session) bulkDone(transfer uint64, sum []byte) {
	if b := s.out[transfer]; b != nil {
		s.endOut(transfer)
		b.sum = sum
		b.finish(nil)
		return
	}
	s.earlyOf(transfer).done = append([]byte{}, sum...)
}

// bulkAborted notes that the other side gave up. Called with mu held.
func (s *session) bulkAborted(transfer uint64, st status) {
	if st == abortBySender || st == abortSize {
		if b := s.in[transfer]; b != nil {
			err := ErrAborted
			if st == abortSize {
				err = ErrBulkSize
			}
			s.breakIn(transfer, b, err)
		}
		return
	}
	if b := s.out[transfer]; b != nil {
		s.endOut(transfer)
		b.finish(ErrAborted)
		return
	}
	s.earlyOf(transfer).aborted = true
}

// outcome is the end of a transfer. finish is called once, by whoever took the
// transfer out of its table.
type outcome struct {
	over chan struct{}
	err  error
}

func (o *outcome) finish(err error) {
	o.err = err
	close(o.over)
}

func (o *outcome) isOver() bool {
	select {
	case <-o.over:
		return true
	default:
		return false
	}
}

// roundTrip is how long a frame and its answer take, as far as is known.
// Called with mu held.
func (s *session) roundTrip() time.Duration {
	if s.srtt == 0 {
		return 10 * time.Millisecond
	}
	return s.srtt
}

func putPieceHeader(f []byte, transfer uint64, index uint32, n int) {
	binary.LittleEndian.PutUint64(f[payloadAt:], transfer)
	binary.LittleEndian.PutUint32(f[payloadAt+8:], index)
	binary.LittleEndian.PutUint32(f[payloadAt+12:], uint32(n))
}
