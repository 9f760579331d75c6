package tor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"nuos/drivers/nic"
	"nuos/mm"
)

// Client is a network card of this process whose cable ends in the switch of
// another. It implements nic.Device, with locks of its own: its methods may be
// used concurrently.
type Client struct {
	info    nic.Info
	addr    netip.Prefix
	gateway netip.Addr
	event   chan struct{} // capacity 1: frames came after Arm
	over    chan struct{} // closed when the stream or the client is

	mu     sync.Mutex
	queue  []nic.Frame // arrived, not yet received
	chunks chunks
	armed  bool
	ended  error // the stream is over
	room   sync.Cond
	stats  nic.Stats

	out    outbox
	sendMu sync.Mutex
	queued uint64 // packets taken, ever
}

const (
	clientPieces = 64   // the most ranges of a packet
	clientQueue  = 1024 // the most frames that wait to be received; others wait in the socket
	minRead      = 4096 // a chunk with less room is left for another
)

// welcomeTimeout bounds the wait for the switch's first word.
const welcomeTimeout = 5 * time.Second

// Dial attaches this process to the switch that listens at path (ListenClients)
// and returns its end as a network card. Addr says which address to use on it.
func Dial(path string) (*Client, error) {
	raw, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("tor: dial: %w", err)
	}
	conn := raw.(*net.UnixConn)
	c, err := newClient(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("tor: dial %s: %w", path, err)
	}
	go c.read(conn)
	return c, nil
}

func newClient(conn *net.UnixConn) (*Client, error) {
	conn.SetReadDeadline(time.Now().Add(welcomeTimeout))
	var length [lengthLen]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxStreamFrame {
		return nil, fmt.Errorf("%w: a welcome of %d bytes", ErrProtocol, n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(conn, text); err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Time{})
	var w welcome
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("%w: welcome: %v", ErrProtocol, err)
	}
	mac, err := net.ParseMAC(w.MAC)
	if err != nil || w.MTU < 1500 || w.MTU > 9000 {
		return nil, fmt.Errorf("%w: welcome %s", ErrProtocol, text)
	}
	wire, err := newStream(conn)
	if err != nil {
		return nil, err
	}
	c := &Client{
		info: nic.Info{Name: "switch port " + w.Addr.Addr().String(), MAC: nic.MAC(mac), MTU: w.MTU, MaxPieces: clientPieces},
		addr: w.Addr, gateway: w.Gateway, event: make(chan struct{}, 1), over: make(chan struct{}),
	}
	c.room.L = &c.mu
	c.out.start()
	c.out.plug(wire, nil)
	return c, nil
}

// Addr is the address, with its subnet, that nobody else on the rack has.
func (c *Client) Addr() netip.Prefix { return c.addr }

// Gateway is the address of the switch's own stack.
func (c *Client) Gateway() netip.Addr { return c.gateway }

// Info implements nic.Device.
func (c *Client) Info() nic.Info { return c.info }

// Wait implements nic.Device. The end of the switch is that of the card.
func (c *Client) Wait() error {
	select {
	case <-c.event:
		return nil
	case <-c.over:
		return nic.ErrClosed
	}
}

// read queues what arrives until the stream ends.
func (c *Client) read(conn *net.UnixConn) {
	k := c.takeChunk()
	if k == nil {
		return
	}
	parsed, filled := 0, 0 // of k
	for {
		if len(k.bytes)-filled < minRead {
			next := c.takeChunk()
			if next == nil {
				return
			}
			filled = copy(next.bytes, k.bytes[parsed:filled])
			c.mu.Lock()
			c.chunks.release(k)
			c.mu.Unlock()
			k, parsed = next, 0
		}
		n, err := conn.Read(k.bytes[filled:])
		if n == 0 && err == nil {
			err = io.EOF
		}
		filled += n
		c.mu.Lock()
		taken, broken := splitFrames(k.bytes[parsed:filled], func(frame []byte) { c.push(k, frame) })
		parsed += taken
		if err == nil {
			err = broken
		}
		if err != nil {
			c.end(err)
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// push queues one frame of k. mu is held.
func (c *Client) push(k *chunk, frame []byte) {
	if len(frame) < headerLen || len(frame) > MaxFrame {
		c.stats.RxErrors++
		return
	}
	k.users++
	c.queue = append(c.queue, nic.Frame{Bytes: frame, Cookie: uint64(k.index)})
	c.stats.RxFrames++
	c.stats.RxBytes += uint64(len(frame))
	c.wake()
}

// wake signals the event if that was asked for. mu is held.
func (c *Client) wake() {
	if c.armed {
		c.armed = false
		c.stats.Events++
		select {
		case c.event <- struct{}{}:
		default: // one is on its way
		}
	}
}

// end notes why there will be no more frames. mu is held.
func (c *Client) end(why error) {
	if c.ended == nil {
		c.ended = why
		close(c.over)
	}
	c.room.Broadcast()
}

// takeChunk returns a chunk that nobody uses, and waits while too much is
// unread. It returns nil when the client is closed.
func (c *Client) takeChunk() *chunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.ended == nil {
		if len(c.queue) < clientQueue {
			if k := c.chunks.take(); k != nil {
				return k
			}
		}
		c.room.Wait()
	}
	return nil
}

// Receive implements nic.Device.
func (c *Client) Receive(batch []nic.Frame) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(batch, c.queue)
	c.queue = c.queue[:copy(c.queue, c.queue[n:])]
	if n > 0 {
		c.room.Signal()
	}
	return n
}

// Release implements nic.Device.
func (c *Client) Release(batch []nic.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range batch {
		c.chunks.release(c.chunks.all[f.Cookie])
	}
	c.room.Signal()
}

// Arm implements nic.Device.
func (c *Client) Arm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 {
		return false
	}
	c.armed = true
	return true
}

// Send implements nic.Device. Everything is copied, so packets are completed
// when Send returns.
func (c *Client) Send(batch []nic.Packet) int {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	var n, bad, frames, bytes int
	for _, p := range batch {
		size := len(p.Head)
		for _, r := range p.Gather {
			size += int(min(r.Size, MaxFrame+1)) // no overflow
		}
		if size < headerLen || size > c.info.MTU+headerLen || len(p.Gather) > clientPieces {
			bad++
			n++
			continue
		}
		if !c.out.offer(size, p) {
			break
		}
		frames++
		bytes += size
		n++
	}
	c.queued += uint64(n)
	c.out.flush()

	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.stats
	s.TxFrames += uint64(frames)
	s.TxBytes += uint64(bytes)
	s.SendErrors += uint64(bad)
	if frames > 0 {
		s.Kicks++
	}
	if n < len(batch) {
		s.SendFull++
	}
	return n
}

// offer queues a packet of so many bytes if there is room, or if nobody will
// ever take it, and reports whether it is done with it.
func (o *outbox) offer(size int, p nic.Packet) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wire == nil {
		return true
	}
	if o.queued() > queueLimit {
		return false
	}
	o.out = binary.BigEndian.AppendUint32(o.out, uint32(size))
	o.out = append(o.out, p.Head...)
	for _, r := range p.Gather {
		o.out = append(o.out, mm.Bytes(r)...)
	}
	return true
}

// Completed implements nic.Device.
func (c *Client) Completed() (queued, done uint64) {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	return c.queued, c.queued
}

// Stats implements nic.Device.
func (c *Client) Stats() nic.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Err returns why the connection to the switch ended, nil while it stands.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.ended, io.EOF) || errors.Is(c.ended, os.ErrClosed) || errors.Is(c.ended, syscall.ECONNRESET) {
		return ErrClosed
	}
	return c.ended
}

// Close implements nic.Device. Frames that were received stay readable.
func (c *Client) Close() error {
	c.out.shut()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(ErrClosed)
	return nil
}
