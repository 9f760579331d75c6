package rack

import (
	"encoding/binary"
	"slices"
	"time"
)

// A reliable packet is a piece of a message:
//
//	 0  number of the call or the transfer   8
//	 8  bytes of the whole message           4
//	12  offset of this piece                 4
//	16  service                              2
//	18  status of a reply                    1
//	19  zero                                 1
//	20  the piece
const (
	pieceHeaderLen = 20
	dataAt         = payloadAt + pieceHeaderLen
)

// MaxMessage is the most bytes of a request or a reply.
const MaxMessage = 3 << 19

// message is one on its way out.
type message struct {
	kind    kind
	status  status
	service Service
	id      uint64
	size    int
	data    []byte // nil once it is in packets
	packed  int    // bytes of it that are in packets
	whole   bool   // all of it has been given to the card

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

// post queues m, whose data must not change until it is in packets. Called
// with mu held; flush sends it.
func (s *session) post(m *message) {
	m.size = len(m.data)
	if m.size <= s.room() {
		s.short.push(m)
	} else {
		s.long.push(m)
	}
}

func (m *message) putHeader(b []byte) {
	le := binary.LittleEndian
	le.PutUint64(b, m.id)
	le.PutUint32(b[8:], uint32(m.size))
	le.PutUint32(b[12:], uint32(m.packed))
	le.PutUint16(b[16:], uint16(m.service))
	b[18], b[19] = byte(m.status), 0
}

// checkHeader reports whether a piece of n bytes can be what it says.
func checkHeader(b []byte, n int) bool {
	size, offset := int64(binary.LittleEndian.Uint32(b[8:])), int64(binary.LittleEndian.Uint32(b[12:]))
	return size <= MaxMessage && offset+int64(n) <= size && (n > 0 || size == 0)
}

type partialKey struct {
	kind kind
	id   uint64
}

// partial is a message of which some pieces have arrived. Each piece arrives
// once, because each packet does, so counting bytes is enough.
type partial struct {
	data []byte
	have int
}

// take takes a piece of a message whose header has been checked, and returns what
// to do about the message if it is complete: before f is given back to the card,
// because that may need its bytes. Called with mu held.
func (s *session) take(now time.Duration, k kind, f []byte) errand {
	le := binary.LittleEndian
	b, piece := f[payloadAt:], f[dataAt:]
	id, size, offset := le.Uint64(b), int(le.Uint32(b[8:])), int(le.Uint32(b[12:]))
	data, lent := piece, true
	if len(piece) != size {
		key := partialKey{k, id}
		p := s.partial[key]
		if p == nil {
			p = &partial{data: make([]byte, size)}
			if s.partial == nil {
				s.partial = map[partialKey]*partial{}
			}
			s.partial[key] = p
		}
		if len(p.data) != size {
			s.e.drop(dropForeign)
			return errand{}
		}
		p.have += copy(p.data[offset:], piece)
		if p.have < size {
			return errand{}
		}
		delete(s.partial, key)
		data, lent = p.data, false
	}
	switch k {
	case kindRequest:
		return s.requested(id, Service(le.Uint16(b[16:])), data, lent)
	case kindReply:
		return s.replied(now, id, status(b[18]), data, lent)
	case kindBulkDone:
		s.bulkDone(id, slices.Clone(data))
	case kindBulkAbort:
		s.bulkAborted(id, status(b[18]))
	}
	return errand{}
}
