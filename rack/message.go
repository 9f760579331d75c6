package rack

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// A reliable packet is one or more messages that were posted together, or a piece of a long one.
// Each is preceded by a header:
//
//	 0  number of the call or the transfer   8
//	 8  bytes of the whole message           4
//	12  offset of this piece                 4
//	16  bytes of this piece                  2
//	18  service                              2
//	20  what the message is                  1
//	21  status of a reply                    1
//	22  zero                                 2
//	24  the piece
const (
	pieceHeaderLen = 24
	dataAt         = payloadAt + pieceHeaderLen
)

// messageKind is what a message is.
type messageKind byte

const (
	messageRequest   messageKind = iota + 1 // calls.go
	messageReply                            // the answer to one; serve.go
	messageBulkDone                         // everything has arrived; bulk.go
	messageBulkAbort                        // given up
)

// MaxMessage is the most bytes of a request or a reply.
const MaxMessage = 3 << 19

// message is one on its way out.
type message struct {
	kind    messageKind
	status  status
	service Service
	id      uint64
	size    int
	data    []byte // nil once it is in packets
	packed  int    // bytes of it that are in packets

	queue      *messageQueue // that it waits in
	next, prev *message
}

// messageQueue is a list of messages that wait for the window to open.
type messageQueue struct{ first, last *message }

func (q *messageQueue) push(m *message) {
	m.queue, m.prev = q, q.last
	if q.last == nil {
		q.first = m
	} else {
		q.last.next = m
	}
	q.last = m
}

func (q *messageQueue) remove(m *message) {
	if m.prev == nil {
		q.first = m.next
	} else {
		m.prev.next = m.next
	}
	if m.next == nil {
		q.last = m.prev
	} else {
		m.next.prev = m.prev
	}
	m.queue, m.next, m.prev = nil, nil, nil
}

// post puts m into a packet, or, while the window is closed or others wait, queues it: then its data
// must not change until it is in packets. Called with mu held; send or flush sends it.
func (s *session) post(m *message) {
	m.size = len(m.data)
	switch {
	case m.size > s.room():
		s.long.push(m)
	case s.state == sessionOpen && s.short.first == nil && s.takes(m.size):
		s.pack(m)
	default:
		s.short.push(m)
	}
}

// putHeader writes the header of the next piece, of n bytes.
func (m *message) putHeader(b []byte, n int) {
	_ = b[pieceHeaderLen-1]
	le := binary.LittleEndian
	le.PutUint64(b, m.id)
	le.PutUint32(b[8:], uint32(m.size))
	le.PutUint32(b[12:], uint32(m.packed))
	le.PutUint16(b[16:], uint16(n))
	le.PutUint16(b[18:], uint16(m.service))
	b[20], b[21], b[22], b[23] = byte(m.kind), byte(m.status), 0, 0
}

// checkPieces reports whether the payload of a packet can be what it says: whole pieces, one
// after the other to the end, each within its message.
func checkPieces(b []byte) bool {
	le := binary.LittleEndian
	for {
		if len(b) < pieceHeaderLen {
			return false
		}
		size, offset, n := int64(le.Uint32(b[8:])), int64(le.Uint32(b[12:])), int(le.Uint16(b[16:]))
		if size > MaxMessage || offset+int64(n) > size || n == 0 && size != 0 || n > len(b)-pieceHeaderLen {
			return false
		}
		if b = b[pieceHeaderLen+n:]; len(b) == 0 {
			return true
		}
	}
}

type partialKey struct {
	kind messageKind
	id   uint64
}

// partial is a message of which some pieces have arrived. Each piece arrives
// once, because each packet does, so counting bytes is enough.
type partial struct {
	data []byte
	have int
}

// keptPartial is how many bytes a message may have whose memory the next one gets.
const keptPartial = 128 << 10

// partials is the memory of messages that have been put together, and were only lent.
var partials = sync.Pool{New: func() any { return new(partial) }}

func newPartial(size int) *partial {
	p := partials.Get().(*partial)
	if cap(p.data) < size {
		p.data = make([]byte, size)
	}
	p.data, p.have = p.data[:size], 0
	return p
}

// free is called when nobody reads the data any more.
func (p *partial) free() {
	if cap(p.data) <= keptPartial {
		partials.Put(p)
	}
}

// takeAll takes the pieces of a packet whose headers have been checked, and notes in work what to
// do about messages that are complete: before the packet is given back to the card, because that
// may need its bytes. Called with mu held.
func (s *session) takeAll(now time.Duration, b []byte) {
	for len(b) > 0 {
		n := pieceHeaderLen + int(binary.LittleEndian.Uint16(b[16:]))
		s.take(now, b[:n:n])
		b = b[n:]
	}
}

// take takes one piece.
func (s *session) take(now time.Duration, b []byte) {
	le := binary.LittleEndian
	k, piece := messageKind(b[20]), b[pieceHeaderLen:]
	id, size, offset := le.Uint64(b), int(le.Uint32(b[8:])), int(le.Uint32(b[12:]))
	data, whole := piece, (*partial)(nil)
	if len(piece) != size {
		key := partialKey{k, id}
		p := s.partial[key]
		if p == nil {
			p = newPartial(size)
			if s.partial == nil {
				s.partial = map[partialKey]*partial{}
			}
			s.partial[key] = p
		}
		if len(p.data) != size {
			s.e.drop(dropForeign)
			return
		}
		p.have += copy(p.data[offset:], piece)
		if p.have < size {
			return
		}
		delete(s.partial, key)
		data, whole = p.data, p
	}
	switch k {
	case messageRequest:
		s.requested(id, Service(le.Uint16(b[18:])), data, whole)
	case messageReply:
		s.replied(now, id, status(b[21]), data, whole)
	case messageBulkDone:
		s.bulkDone(id, slices.Clone(data))
	case messageBulkAbort:
		s.bulkAborted(id, status(b[21]))
	default:
		s.e.drop(dropForeign)
	}
}
