package tor

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"time"
)

// lengthLen is the length that stands before every frame in a queue and on a
// stream: 32 bits, most significant byte first (QEMU's stream netdev).
const lengthLen = 4

// queueLimit is how many bytes may wait in an outbox before those who put
// frames there have to wait. It is a few hundred frames of 9000 bytes.
const queueLimit = 4 << 20

// patience is how long a peer may take nothing, with a full queue, before it
// counts as stopped and its frames are dropped instead of holding up
// everybody else. A machine that is merely slow loses nothing.
const patience = 200 * time.Millisecond

// wire is what frames are sent on. deliver is called by one goroutine at a
// time.
type wire interface {
	// deliver hands the peer frames, each with its length before it, and
	// returns how many bytes it took. With wait 0 it never blocks and
	// returns 0 when the peer takes nothing at the moment; else it blocks
	// for that long, at most, until the peer takes something.
	deliver(framed []byte, wait time.Duration) (int, error)
	// close unplugs; a deliver in progress returns an error soon. It is
	// called with the outbox locked, so it waits for nothing.
	close()
}

// outbox is a queue of frames and the wire that they leave by.
type outbox struct {
	mu       sync.Mutex
	wire     wire   // nil: nothing plugged in
	out      []byte // frames that wait, each with its length before it
	rest     []byte // what is being sent, before out; the wire took the first `taken`
	taken    int
	spare    []byte // the buffer that is not in use
	sending  bool   // somebody is in wire.deliver
	stopped  bool   // the peer takes nothing; see patience
	isClosed bool
	space    sync.Cond // the queue got shorter, or the peer stopped
	work     sync.Cond // rest is left over: the pump must wait for the wire
}

func (o *outbox) start() {
	o.space.L, o.work.L = &o.mu, &o.mu
	go o.pump()
}

// put queues a frame. It waits while the queue is full and the peer is alive,
// and reports false if the frame was dropped because nobody will take it.
func (o *outbox) put(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.queued() > queueLimit && o.wire != nil && !o.stopped {
		if !o.sending && len(o.rest) == 0 {
			o.send(0)
		} else {
			o.space.Wait()
		}
	}
	if o.wire == nil || o.queued() > queueLimit {
		return false
	}
	o.out = binary.BigEndian.AppendUint32(o.out, uint32(len(frame)))
	o.out = append(o.out, frame...)
	return true
}

// queued is how many bytes wait. mu is held.
func (o *outbox) queued() int { return len(o.out) + len(o.rest) - o.taken }

// flush sends what is queued from the caller's own goroutine, which saves a
// wake-up. What the wire does not take at once it leaves to the pump.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.sending && len(o.rest) == 0 {
		o.send(0)
	}
}

// pump waits for a wire that is full.
func (o *outbox) pump() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.isClosed {
		if len(o.rest) == 0 || o.sending {
			o.work.Wait()
		} else {
			o.send(patience)
		}
	}
}

// send moves the queue to the wire until it is empty or the wire takes
// nothing for that long. mu is held on entry and return, not meanwhile.
func (o *outbox) send(wait time.Duration) {
	o.sending = true
	for o.queued() > 0 && o.wire != nil {
		if len(o.rest) == 0 {
			o.rest, o.out, o.spare, o.taken = o.out, o.spare[:0], nil, 0
		}
		w, frames := o.wire, o.rest[o.taken:]
		o.mu.Unlock()
		n, err := w.deliver(frames, wait)
		o.mu.Lock()
		if w != o.wire {
			continue // unplugged meanwhile, which emptied the queue
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			o.unplugLocked(w)
			continue
		}
		if n == 0 {
			if wait > 0 {
				o.stopped = true
				o.space.Broadcast()
			}
			break
		}
		o.stopped = false
		if o.taken += n; o.taken == len(o.rest) {
			o.rest, o.spare, o.taken = nil, o.rest[:0], 0
		}
		o.space.Broadcast()
	}
	o.sending = false
	if len(o.rest) > 0 {
		o.work.Signal()
	}
}

// plug connects a peer, in place of the one that was there, and has first, if
// not nil, sent to it before any frame.
func (o *outbox) plug(w wire, first []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.isClosed {
		return ErrClosed
	}
	if o.wire != nil {
		o.unplugLocked(o.wire)
	}
	o.wire = w
	if first != nil {
		o.out = append(binary.BigEndian.AppendUint32(o.out, uint32(len(first))), first...)
		if !o.sending { // else whoever is goes on with this
			o.send(0)
		}
	}
	return nil
}

// unplug disconnects w, unless another has taken its place. What waits for it
// is dropped.
func (o *outbox) unplug(w wire) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unplugLocked(w)
}

func (o *outbox) unplugLocked(w wire) {
	if o.wire == nil || o.wire != w {
		return
	}
	w.close()
	o.wire, o.out, o.rest, o.taken, o.stopped = nil, nil, nil, 0, false
	o.space.Broadcast()
}

// plugged reports whether there is a peer.
func (o *outbox) plugged() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wire != nil
}

// shut unplugs for good and ends the pump.
func (o *outbox) shut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isClosed = true
	o.unplugLocked(o.wire)
	o.work.Broadcast()
	o.space.Broadcast()
}
