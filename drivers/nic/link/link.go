//go:build !metal

package link

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nuos/drivers/nic"
	"nuos/mm"
)

// mtu is the largest that an IPv4 packet can have: nothing here gets better by smaller ones.
const mtu = 65535

// maxGather is the most that a packet may bring beside its head. Longer ones would cost
// even less for each byte, but keep those waiting that are behind them.
const maxGather = 1 << 20

// ethernetHeader is the size in bytes of the header of an Ethernet frame.
const ethernetHeader = 14

// Device is an end of a cable. It implements nic.Device, whose rules for concurrent calls
// hold.
type Device struct {
	info   nic.Info
	memory mm.Range
	own    end
	uplink *uplink // nil: there is only the cable

	event   *os.File // the peer writes to it
	counter [8]byte

	rx struct {
		mu   sync.Mutex // with the rules of nic.Device only taken when the peer comes or goes
		free sync.Cond  // nothing is lent
		peer *peer
		consumer
		lent  int
		wish  uint32 // the last value of want
		armed bool
		woken atomic.Bool
	}
	tx struct {
		mu   sync.Mutex
		peer *peer
		producer
		told   uint32 // the last wish that was answered
		gather []piece
	}

	stats struct {
		rxFrames, rxBytes, txFrames, txBytes, sendErrors, full, strange, kicks, events atomic.Uint64
	}

	mu       sync.Mutex
	closed   bool
	listener *net.UnixListener // while waiting
	conn     *net.UnixConn     // to the peer
	ended    chan struct{}     // closed when nobody connects any more
}

var _ nic.Device = (*Device)(nil)

// Open plugs this machine into the cable at a unix socket, and returns whether or not the
// other one is there already. If uplink is not empty it is the unix socket of a switch at which
// others can reach this machine.
func Open(path, uplink string) (*Device, error) {
	memory, err := mm.AllocDMA(endSize)
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", path, err)
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		mm.FreeDMA(memory)
		return nil, fmt.Errorf("link %s: eventfd: %w", path, err)
	}
	phys, _, _ := mm.Translate(memory.Base)
	d := &Device{
		info:   nic.Info{Name: "link " + path, MAC: nic.RandomMAC(), MTU: mtu, MaxPieces: maxPieces - 1, MaxGather: maxGather, Exact: true},
		memory: memory,
		own:    endAt(mm.Bytes(memory)),
		event:  os.NewFile(uintptr(fd), "link event"),
		ended:  make(chan struct{}),
	}
	d.rx.free.L = &d.rx.mu
	d.tx.end = d.own
	d.tx.bytes = mm.Bytes(memory)[bytesAt:]
	d.tx.phys = phys + bytesAt
	d.tx.gather = make([]piece, 0, maxPieces)
	if uplink != "" {
		if d.uplink, err = openUplink(uplink, d.info.MAC, d.event); err != nil {
			d.event.Close()
			mm.FreeDMA(memory)
			return nil, fmt.Errorf("link %s: %w", path, err)
		}
	}
	go d.connect(path)
	return d, nil
}

func (d *Device) Info() nic.Info { return d.info }

func (d *Device) Receive(batch []nic.Frame) int {
	r := &d.rx
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := d.uplink; u != nil && u.waiting.Load() > 0 {
		return u.receive(batch)
	}
	if r.peer == nil {
		return 0
	}
	tail := atomic.LoadUint32(r.peer.end.tail)
	if tail == r.next {
		return 0
	}
	if r.armed && r.woken.Load() {
		r.armed = false
		atomic.StoreUint32(d.own.want, 0)
	}
	n, bytes := 0, 0
	if tail-r.head > entries {
		d.hangUp()
		return 0
	}
	for n < len(batch) && r.next != tail {
		pieces, count := r.take(r.peer.end.descriptors, tail, r.peer.memory)
		length := 0
		for _, p := range pieces {
			length += len(p)
		}
		if count == 0 || len(pieces[0]) < ethernetHeader || len(pieces[0]) > ethernetHeader+mtu || length-len(pieces[0]) > maxGather {
			d.hangUp()
			break
		}
		batch[n] = nic.Frame{Bytes: pieces[0], Rest: pieces[1:], Cookie: uint64(count)<<32 | uint64(r.next)}
		bytes += length
		r.next += count
		n++
	}
	r.lent += n
	d.stats.rxFrames.Add(uint64(n))
	d.stats.rxBytes.Add(uint64(bytes))
	return n
}

// hangUp ends the connection to a peer that writes nonsense; they may meet again. Called with
// rx.mu held.
func (d *Device) hangUp() {
	d.stats.strange.Add(1)
	d.rx.peer = nil
	go func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.conn != nil {
			d.conn.Close()
		}
	}()
}

func (d *Device) Release(batch []nic.Frame) {
	r := &d.rx
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range batch {
		if f.Cookie != uplinkFrame {
			r.release(uint32(f.Cookie), uint32(f.Cookie>>32))
			r.lent--
		}
	}
	atomic.StoreUint32(d.own.head, r.consumer.head)
	if r.lent == 0 {
		r.free.Signal()
	}
}

func (d *Device) Arm() bool {
	r := &d.rx
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wish++; r.wish == 0 {
		r.wish = 1
	}
	r.woken.Store(false)
	r.armed = true
	atomic.StoreUint32(d.own.want, r.wish)
	if r.peer != nil && atomic.LoadUint32(r.peer.end.tail) != r.next || d.uplink != nil && d.uplink.waiting.Load() > 0 {
		r.armed = false
		atomic.StoreUint32(d.own.want, 0)
		return false
	}
	return true
}

func (d *Device) Wait() error {
	if _, err := d.event.Read(d.counter[:]); errors.Is(err, os.ErrClosed) {
		return nic.ErrClosed
	} else if err != nil {
		return err
	}
	d.rx.woken.Store(true)
	d.stats.events.Add(1)
	return nil
}

func (d *Device) Send(batch []nic.Packet) int {
	t := &d.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tail-t.done >= reapEvery {
		d.reap()
	}
	n, sent, bytes := 0, 0, 0
	for ; n < len(batch); n++ {
		length, ok := d.cut(&batch[n])
		if !ok {
			d.stats.sendErrors.Add(1)
		}
		if !ok || d.uplink != nil && d.uplink.send(&batch[n]) || t.peer == nil {
			t.leaveOut()
			continue
		}
		if !t.put(batch[n].Head, t.gather) {
			if d.reap(); !t.put(batch[n].Head, t.gather) {
				d.stats.full.Add(1)
				break
			}
		}
		sent++
		bytes += length
	}
	if sent > 0 {
		t.publish()
		if w := atomic.LoadUint32(t.peer.end.want); w != 0 && w != t.told {
			t.told = w
			d.stats.kicks.Add(1)
			t.peer.wake()
		}
	}
	d.stats.txFrames.Add(uint64(sent))
	d.stats.txBytes.Add(uint64(bytes))
	return n
}

// cut finds the device addresses of a packet's Gather, for tx.gather. It reports false for a
// packet that can never be sent.
func (d *Device) cut(p *nic.Packet) (length int, ok bool) {
	t := &d.tx
	t.gather = t.gather[:0]
	gathered := uint64(0)
	for _, r := range p.Gather {
		if gathered += r.Size; gathered > maxGather || r.Size > maxGather {
			return 0, false
		}
		for r.Size > 0 {
			at, contiguous, ok := mm.Translate(r.Base)
			if !ok {
				return 0, false
			}
			n := min(r.Size, contiguous)
			if last := len(t.gather) - 1; last >= 0 && t.gather[last].phys+mm.Phys(t.gather[last].len) == at {
				t.gather[last].len += uint32(n)
			} else if len(t.gather) == maxPieces-1 {
				return 0, false
			} else {
				t.gather = append(t.gather, piece{at, uint32(n)})
			}
			r.Base += mm.Virt(n)
			r.Size -= n
		}
	}
	head := len(p.Head)
	return head + int(gathered), head >= ethernetHeader && head <= ethernetHeader+mtu
}

// reap asks how far the peer has come. Called with tx.mu held.
func (d *Device) reap() {
	t := &d.tx
	if t.peer != nil && !t.reap(atomic.LoadUint32(t.peer.end.head)) {
		d.stats.strange.Add(1)
	}
}

func (d *Device) Completed() (queued, done uint64) {
	t := &d.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	d.reap()
	return t.queued, t.completed
}

func (d *Device) Stats() nic.Stats {
	s := &d.stats
	return nic.Stats{
		RxFrames: s.rxFrames.Load(), RxBytes: s.rxBytes.Load(),
		TxFrames: s.txFrames.Load(), TxBytes: s.txBytes.Load(),
		SendErrors: s.sendErrors.Load(), SendFull: s.full.Load(), DeviceErrors: s.strange.Load(),
		Kicks: s.kicks.Load(), Events: s.events.Load(),
	}
}

// Close unplugs the machine. The peer has let go of its memory when it returns.
func (d *Device) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		<-d.ended
		return nil
	}
	d.closed = true
	if d.listener != nil {
		d.listener.Close()
	}
	if d.conn != nil {
		// The peer closes its side when it has let go of our memory.
		d.conn.CloseWrite()
		d.conn.SetReadDeadline(time.Now().Add(patience))
	}
	d.mu.Unlock()
	<-d.ended
	if d.uplink != nil {
		d.uplink.close()
	}
	d.event.Close()
	mm.FreeDMA(d.memory)
	return nil
}
