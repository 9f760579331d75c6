package tor

import (
	"encoding/binary"
	"errors"
	"os"
	"time"
)

// The frames of a vhost-user machine: out of its send queue and into its
// receive queue.

// netHeader is virtio_net_hdr with num_buffers (virtio 1.2, 5.1.6), which
// every frame has with VERSION_1. We offer no offloads, so all but the number
// of buffers is zero.
const netHeader = 12

// collectBytes is how much is copied out of the send queue before it is
// forwarded.
const collectBytes = 256 << 10

// collect forwards what the machine sends until the queue is stopped, which
// closes kick, or the machine breaks the rules.
func (b *backend) collect(kick *os.File) {
	var (
		bt     batch
		framed = make([]byte, 0, collectBytes+MaxFrame+lengthLen)
		pieces [][]byte
	)
	for {
		more := true
		var err error
		framed, more, err = b.take(framed[:0], &pieces)
		if err != nil {
			b.port.count.Bad.Add(1)
			b.port.out.unplug(b)
			return
		}
		splitFrames(framed, func(frame []byte) { b.port.receive(&bt, frame) })
		bt.flush()
		if !more {
			if err := waitKick(kick, 0); err != nil {
				return
			}
		}
	}
}

// take copies frames out of the send queue, each with its length before it,
// and reports whether there are more. If not, a kick will come.
func (b *backend) take(framed []byte, scratch *[][]byte) (_ []byte, more bool, err error) {
	r := &b.rings[sendQueue]
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running || !r.enabled {
		return framed, false, nil
	}
	err = guarded(func() error {
		r.disarm()
		n, err := r.pending(r.next)
		if err != nil {
			return err
		}
		for ; n > 0 && len(framed) < collectBytes; n-- {
			head, pieces, err := r.chain(r.next, false, (*scratch)[:0])
			if err != nil {
				return err
			}
			*scratch = pieces
			framed = b.gather(framed, pieces)
			r.next++
			r.give(head, 0)
		}
		r.publish()
		armed := false
		if n == 0 {
			armed, err = r.arm(r.next)
		}
		more = !armed
		return err
	})
	return framed, more, err
}

// gather appends the frame in pieces, less its header, to framed. One that no
// switch would forward is counted and left out.
func (b *backend) gather(framed []byte, pieces [][]byte) []byte {
	total := 0
	for _, p := range pieces {
		total += len(p)
	}
	if total < netHeader || total > netHeader+MaxFrame {
		b.port.count.Bad.Add(1)
		return framed
	}
	framed = binary.BigEndian.AppendUint32(framed, uint32(total-netHeader))
	skip := netHeader
	for _, p := range pieces {
		drop := min(skip, len(p))
		skip -= drop
		framed = append(framed, p[drop:]...)
	}
	return framed
}

// deliver implements wire: it puts frames into the receive queue. A machine
// whose queue is not running has no link; its frames are dropped.
func (b *backend) deliver(framed []byte, wait time.Duration) (int, error) {
	for {
		n, err := b.fill(framed, wait > 0)
		if n > 0 || err != nil || wait == 0 {
			return n, err
		}
		kick := b.rings[receiveQueue].kickFile()
		if kick == nil {
			continue // stopped this moment; fill will say so
		}
		if err := waitKick(kick, wait); err != nil && !errors.Is(err, os.ErrClosed) {
			return 0, err
		}
	}
}

// fill puts as many frames as fit into the receive queue and returns how many
// bytes those were. If none did and arm is set, a kick will come.
func (b *backend) fill(framed []byte, arm bool) (n int, err error) {
	r := &b.rings[receiveQueue]
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running || !r.enabled {
		splitFrames(framed, func([]byte) { b.port.count.Refused.Add(1) })
		return len(framed), nil
	}
	err = guarded(func() error {
		r.disarm()
		for n < len(framed) {
			end := n + lengthLen + int(binary.BigEndian.Uint32(framed[n:]))
			fits, err := b.fillOne(r, framed[n+lengthLen:end])
			if err != nil {
				return err
			}
			if !fits {
				if n > 0 || !arm {
					break
				}
				looked := uint16(0)
				if looked, err = r.pending(r.next); err != nil {
					return err
				}
				if armed, err := r.arm(r.next + looked); err != nil || armed {
					return err
				}
				continue
			}
			n = end
		}
		r.publish()
		return nil
	})
	return n, err
}

// fillOne puts one frame into as many buffers as it needs, and reports false
// if the driver has not given that many.
func (b *backend) fillOne(r *ring, frame []byte) (bool, error) {
	available, err := r.pending(r.next)
	if err != nil || available == 0 {
		return false, err
	}
	need := netHeader + len(frame)
	b.filling, b.heads = b.filling[:0], b.heads[:0]
	ends := b.ends[:0]
	room := 0
	for i := uint16(0); room < need; i++ {
		if i == available {
			return false, nil
		}
		if i > 0 && b.features&featMrgRxbuf == 0 {
			b.port.count.Refused.Add(1) // it never fits
			return true, nil
		}
		head, pieces, err := r.chain(r.next+i, true, b.filling)
		if err != nil {
			return false, err
		}
		for _, p := range pieces[len(b.filling):] {
			room += len(p)
		}
		b.filling, b.heads, ends = pieces, append(b.heads, head), append(ends, len(pieces))
	}
	b.ends = ends

	var header [netHeader]byte
	binary.LittleEndian.PutUint16(header[10:], uint16(len(b.heads)))
	first := 0
	head, body := header[:], frame
	for i, end := range ends {
		written := 0
		for _, p := range b.filling[first:end] {
			n := copy(p, head)
			head = head[n:]
			m := copy(p[n:], body)
			body = body[m:]
			written += n + m
		}
		first = end
		r.give(b.heads[i], uint32(written))
	}
	r.next += uint16(len(b.heads))
	return true, nil
}

// protocolOnly returns err if the peer is to blame for it, nil if it just went.
func protocolOnly(err error) error {
	if errors.Is(err, ErrProtocol) {
		return err
	}
	return nil
}
