package tor

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What the back-end offers: virtio 1.x only, mergeable receive buffers, event
// positions, address and MTU in the configuration space. No offloads, and no
// indirect descriptors.
const (
	featMTU      = 1 << 3  // VIRTIO_NET_F_MTU
	featMAC      = 1 << 5  // VIRTIO_NET_F_MAC
	featMrgRxbuf = 1 << 15 // VIRTIO_NET_F_MRG_RXBUF
	featStatus   = 1 << 16 // VIRTIO_NET_F_STATUS
	featEventIdx = 1 << 29 // VIRTIO_F_EVENT_IDX
	featProtocol = 1 << 30 // VHOST_USER_F_PROTOCOL_FEATURES
	featVersion1 = 1 << 32 // VIRTIO_F_VERSION_1
	featsOffered = featMTU | featMAC | featMrgRxbuf | featStatus | featEventIdx | featProtocol | featVersion1

	protoReplyAck  = 1 << 3
	protoNetMTU    = 1 << 4
	protoConfig    = 1 << 9
	protosOffered  = protoReplyAck | protoNetMTU | protoConfig
	statusLinkUp   = 1
	configSpaceLen = 12 // mac, status, max_virtqueue_pairs, mtu (virtio 1.2, 5.1.4)
)

// The queues, named as the machine sees them.
const (
	receiveQueue = 0
	sendQueue    = 1
)

// NetConfig is what a machine reads from its network card.
type NetConfig struct {
	MAC net.HardwareAddr
	MTU int
}

// backend is the device of one vhost-user front-end, and the wire of a port.
// One goroutine, serve, handles messages; deliver runs on others.
type backend struct {
	port     *Port
	conn     *net.UnixConn
	config   NetConfig
	features uint64
	protocol uint64
	mem      *memory
	rings    [2]ring

	// The buffers of the frame being delivered, kept for the next.
	filling [][]byte
	heads   []uint16
	ends    []int // of each buffer in filling
}

func newBackend(p *Port, conn *net.UnixConn, config NetConfig) *backend {
	b := &backend{port: p, conn: conn, config: config}
	for i := range b.rings {
		b.rings[i].call = -1
	}
	return b
}

// ListenVhostUser serves vhost-user front-ends at a unix socket: whoever
// connects last is plugged into p. The socket file goes when the switch is
// closed.
func (p *Port) ListenVhostUser(path string, config NetConfig) error {
	if len(config.MAC) != 6 || config.MTU < 68 || config.MTU > 9000 {
		return fmt.Errorf("tor: no network card has address %v and an MTU of %d", config.MAC, config.MTU)
	}
	return p.sw.listen(path, func(conn *net.UnixConn) {
		b := newBackend(p, conn, config)
		if p.out.plug(b, nil) != nil {
			conn.Close()
			return
		}
		if err := b.serve(); err != nil {
			p.count.Bad.Add(1)
		}
		p.out.unplug(b)
	})
}

// close implements wire. serve notices and takes everything down.
func (b *backend) close() { b.conn.Close() }

// serve handles messages until the front-end goes away (nil) or breaks the
// protocol.
func (b *backend) serve() error {
	defer b.stop()
	for {
		m, err := readMessage(b.conn)
		if err != nil {
			return protocolOnly(err)
		}
		reply, err := b.handle(&m)
		m.closeFDs()
		if reply == nil && m.flags&flagAck != 0 && b.protocol&protoReplyAck != 0 {
			reply = replyU64(0)
			if err != nil {
				reply = replyU64(1)
			}
		}
		if reply != nil {
			if werr := writeReply(b.conn, m.request, reply); werr != nil && err == nil {
				return protocolOnly(werr)
			}
		}
		if err != nil {
			return err
		}
	}
}

// stop releases what the front-end gave us.
func (b *backend) stop() {
	for i := range b.rings {
		b.rings[i].stop()
		b.rings[i].setCall(-1)
	}
	b.mem.unmap()
	b.mem = nil
}

// handle carries out one message. A reply that is not nil is sent.
func (b *backend) handle(m *message) (reply []byte, err error) {
	switch m.request {
	case getFeatures:
		return replyU64(featsOffered), nil
	case setFeatures:
		v, err := m.u64()
		if err == nil && v&^uint64(featsOffered) != 0 {
			err = fmt.Errorf("%w: features %#x were not offered", ErrProtocol, v)
		}
		b.features = v
		return nil, err
	case getProtocolFeatures:
		return replyU64(protosOffered), nil
	case setProtocolFeatures:
		v, err := m.u64()
		if err == nil && v&^uint64(protosOffered) != 0 {
			err = fmt.Errorf("%w: protocol features %#x were not offered", ErrProtocol, v)
		}
		b.protocol = v
		return nil, err
	case getQueueNum:
		return replyU64(uint64(len(b.rings))), nil
	case setOwner, resetOwner, sendRARP, setVringErr:
		return nil, nil // nothing to do for one owner, one link and no error reports
	case netSetMTU:
		v, err := m.u64()
		if err == nil && v > uint64(b.config.MTU) {
			err = fmt.Errorf("%w: an MTU of %d on a link of %d", ErrProtocol, v, b.config.MTU)
		}
		return nil, err
	case getConfig:
		return b.readConfig(m), nil
	case setMemTable:
		return nil, b.setMemory(m)
	case setVringNum, setVringAddr, setVringBase, getVringBase, setVringEnable, setVringKick, setVringCall:
		return b.handleRing(m)
	}
	return nil, fmt.Errorf("%w: request %d is not known", ErrProtocol, m.request)
}

// readConfig answers GET_CONFIG: offset, size, flags, and that many bytes. A
// reply without payload says that it cannot be read.
func (b *backend) readConfig(m *message) []byte {
	if len(m.payload) < 12 {
		return []byte{}
	}
	offset, size := binary.NativeEndian.Uint32(m.payload), binary.NativeEndian.Uint32(m.payload[4:])
	if uint64(offset)+uint64(size) > 256 || int(size) > len(m.payload)-12 {
		return []byte{}
	}
	space := make([]byte, 256)
	copy(space, b.config.MAC)
	binary.LittleEndian.PutUint16(space[6:], statusLinkUp)
	binary.LittleEndian.PutUint16(space[8:], 1)
	binary.LittleEndian.PutUint16(space[10:], uint16(b.config.MTU))
	return append(append([]byte(nil), m.payload[:12]...), space[offset:offset+size]...)
}

// setMemory replaces the shared memory, under the feet of running rings.
func (b *backend) setMemory(m *message) error {
	mem, err := mapMemory(m)
	if err != nil {
		return err
	}
	old := b.mem
	b.mem = mem
	for i := range b.rings {
		r := &b.rings[i]
		r.mu.Lock()
		if r.running {
			err = r.resolve(mem, r.eventIdx)
			r.running = err == nil
		}
		r.mu.Unlock()
		if err != nil {
			break
		}
	}
	if err != nil {
		b.rings[receiveQueue].stop()
		b.rings[sendQueue].stop()
	}
	old.unmap()
	return err
}

// handleRing carries out a message about one queue.
func (b *backend) handleRing(m *message) (reply []byte, err error) {
	if m.request == setVringAddr {
		return nil, b.setAddresses(m)
	}
	index, number, err := m.vringState()
	if err != nil {
		return nil, err
	}
	hasFD := index&vringNoFD == 0
	if m.request == setVringKick || m.request == setVringCall {
		index &= 0xff // the rest are flags
	}
	if index >= uint32(len(b.rings)) {
		return nil, fmt.Errorf("%w: queue %d of %d", ErrProtocol, index, len(b.rings))
	}
	r := &b.rings[index]
	switch m.request {
	case setVringNum:
		if number == 0 || number > maxRing || number&(number-1) != 0 {
			return nil, fmt.Errorf("%w: a ring of %d entries", ErrProtocol, number)
		}
		return nil, r.configure(func() { r.size = number })
	case setVringBase:
		return nil, r.configure(func() { r.next = uint16(number) })
	case getVringBase:
		r.stop()
		return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, index), uint32(r.next)), nil
	case setVringEnable:
		r.enable(number != 0)
		return nil, nil
	case setVringCall:
		if !hasFD {
			r.setCall(-1)
			return nil, nil
		}
		fd, err := eventFD(m)
		if err == nil {
			r.setCall(fd)
		}
		return nil, err
	case setVringKick:
		if !hasFD {
			return nil, fmt.Errorf("%w: a queue without kicks", ErrProtocol)
		}
		fd, err := eventFD(m)
		if err != nil {
			return nil, err
		}
		return nil, b.startRing(int(index), fd)
	}
	panic("unreachable")
}

// setAddresses reads index, flags, and the addresses of the descriptors, the
// used and the available ring; the log is for live migration.
func (b *backend) setAddresses(m *message) error {
	if len(m.payload) < 40 {
		return fmt.Errorf("%w: ring addresses of %d bytes", ErrProtocol, len(m.payload))
	}
	index := binary.NativeEndian.Uint32(m.payload)
	if index >= uint32(len(b.rings)) {
		return fmt.Errorf("%w: queue %d of %d", ErrProtocol, index, len(b.rings))
	}
	at := func(i int) uint64 { return binary.NativeEndian.Uint64(m.payload[i:]) }
	r := &b.rings[index]
	return r.configure(func() { r.descAt, r.usedAt, r.availAt = at(8), at(16), at(24) })
}

// startRing starts a queue, which is what its first kick descriptor means.
func (b *backend) startRing(index, kickFD int) error {
	kick := os.NewFile(uintptr(kickFD), "kick") // not blocking, so the poller has it
	if b.features&featVersion1 == 0 || b.mem == nil {
		kick.Close()
		return fmt.Errorf("%w: a queue starts without virtio 1 or without memory", ErrProtocol)
	}
	r := &b.rings[index]
	r.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := guarded(func() error {
		if err := r.resolve(b.mem, b.features&featEventIdx != 0); err != nil {
			return err
		}
		r.resume()
		return nil
	}); err != nil {
		kick.Close()
		return err
	}
	if b.features&featProtocol == 0 {
		r.enabled = true // there will be no SET_VRING_ENABLE
	}
	r.running = true
	r.files.Lock()
	r.kick = kick
	r.files.Unlock()
	if index == sendQueue {
		go b.collect(kick)
	}
	return nil
}

// eventFD takes the descriptor of a message, which must be an eventfd: reading
// anything else might never stop, or never start.
func eventFD(m *message) (int, error) {
	fd, ok := m.takeFD()
	if !ok {
		return -1, fmt.Errorf("%w: request %d without a descriptor", ErrProtocol, m.request)
	}
	kind, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err == nil && !strings.HasPrefix(kind, "anon_inode:[eventfd") {
		err = fmt.Errorf("%w: %s is no eventfd", ErrProtocol, kind)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	unix.CloseOnExec(fd)
	return fd, nil
}

// waitKick waits for a kick, for at most d if d is positive.
func waitKick(kick *os.File, d time.Duration) error {
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	if err := kick.SetReadDeadline(until); err != nil {
		return err
	}
	var count [8]byte
	_, err := kick.Read(count[:])
	return err
}
