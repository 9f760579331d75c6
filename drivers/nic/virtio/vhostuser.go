//go:build !metal

package virtio

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"nuos/mm"
)

// OpenVhostUser opens the network device whose back-end listens on a unix
// socket. It shares all of the machine's memory (mm.SharedMemory) with it. A
// back-end without a configuration space gets a random address and an MTU of
// 1500.
func OpenVhostUser(path string) (*Device, error) {
	s, err := dialSocket(path)
	if err != nil {
		return nil, fmt.Errorf("vhost-user: connecting to %s: %w", path, err)
	}
	return open(&vhostUser{path: path, socket: s, kicks: [2]int{-1, -1}}, options{})
}

// vhostUser is the front-end of the vhost-user protocol (QEMU's documentation,
// "Vhost-user Protocol"): the queues are in memory that the back-end maps, a
// kick is an eventfd.
type vhostUser struct {
	path       string
	socket     socket
	protocol   bool // VHOST_USER_F_PROTOCOL_FEATURES
	configured bool // the back-end has a configuration space
	kicks      [2]int
}

// Feature bits that concern the protocol, not the device.
const (
	featProtocol   = 1 << 30 // in the device's features
	protocolConfig = 1 << 9  // VHOST_USER_PROTOCOL_F_CONFIG
)

func (t *vhostUser) name() string { return "vhost-user " + t.path }

func (t *vhostUser) offered() (uint64, error) {
	features, err := t.socket.askU64(getFeatures)
	if err != nil {
		return 0, err
	}
	t.protocol = features&featProtocol != 0
	if t.protocol {
		p, err := t.socket.askU64(getProtocolFeatures)
		if err != nil {
			return 0, err
		}
		t.configured = p&protocolConfig != 0
		if err := t.socket.sendU64(setProtocolFeatures, p&protocolConfig); err != nil {
			return 0, err
		}
	}
	if err := t.socket.send(setOwner, nil, -1); err != nil {
		return 0, err
	}
	if !t.configured {
		features &^= featMAC | featMTU | featStatus
	}
	return features, nil
}

func (t *vhostUser) accept(features uint64) error {
	if t.protocol {
		features |= featProtocol
	}
	return t.socket.sendU64(setFeatures, features)
}

func (t *vhostUser) config() (config, error) {
	if !t.configured {
		return config{}, nil
	}
	request := binary.NativeEndian.AppendUint32(nil, 0) // offset
	request = binary.NativeEndian.AppendUint32(request, configSize)
	request = binary.NativeEndian.AppendUint32(request, 0) // flags
	header := len(request)
	reply, err := t.socket.ask(getConfig, append(request, make([]byte, configSize)...))
	if err != nil {
		return config{}, err
	}
	if len(reply) != header+configSize {
		return config{}, fmt.Errorf("%w: configuration of %d bytes", ErrBackend, len(reply))
	}
	return readConfig(reply[header:]), nil
}

func (t *vhostUser) limit(i int) int { return maxQueue }

func (t *vhostUser) attach(i int, q ring) error {
	if i == receiveQueue {
		if err := t.shareMemory(); err != nil {
			return err
		}
	}
	p := q.place()
	index, base := uint32(i), uint64(p.mem.Base)
	addr := binary.NativeEndian.AppendUint32(nil, index)
	addr = binary.NativeEndian.AppendUint32(addr, 0) // flags: no log
	for _, a := range []uint64{base + p.desc, base + p.device, base + p.driver, 0} {
		addr = binary.NativeEndian.AppendUint64(addr, a)
	}
	kick, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	t.kicks[i] = kick
	if err := t.socket.sendState(setVringNum, index, uint32(p.size)); err != nil {
		return err
	}
	if err := t.socket.sendState(setVringBase, index, 0); err != nil {
		return err
	}
	return t.socket.send(setVringAddr, addr, -1)
}

// shareMemory hands the back-end the machine's memory: one file, mapped whole
// at DirectArea, in which a device address is an offset.
func (t *vhostUser) shareMemory() error {
	fd, size := mm.SharedMemory()
	table := binary.NativeEndian.AppendUint32(nil, 1) // regions
	table = binary.NativeEndian.AppendUint32(table, 0)
	for _, v := range []uint64{0, size, uint64(mm.DirectArea.Base), 0} { // device address, size, ours, offset
		table = binary.NativeEndian.AppendUint64(table, v)
	}
	return t.socket.send(setMemTable, table, fd)
}

func (t *vhostUser) start(event int) error {
	// Nobody waits for a packet to be sent.
	if err := t.socket.sendU64(setVringCall, sendQueue|vringNoFD); err != nil {
		return err
	}
	if err := t.socket.sendFD(setVringCall, receiveQueue, event); err != nil {
		return err
	}
	for i, kick := range t.kicks {
		if err := t.socket.sendFD(setVringKick, i, kick); err != nil {
			return err
		}
		if t.protocol {
			if err := t.socket.sendState(setVringEnable, uint32(i), 1); err != nil {
				return err
			}
		}
	}
	// A back-end that dislikes what it was told closes the socket; a question
	// at the end makes that show now.
	_, err := t.socket.askU64(getFeatures)
	return err
}

// kick adds one to the queue's eventfd. The raw system call does not tell
// Go's scheduler, which is right for one that cannot block: the descriptor is
// non-blocking, and one whose count is full is readable anyway.
func (t *vhostUser) kick(i int) {
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(t.kicks[i]), uintptr(unsafe.Pointer(&one)), 8)
}

// close stops the rings: a back-end answers GET_VRING_BASE when it has let go
// of a ring. One that is gone touches nothing any more.
func (t *vhostUser) close() error {
	for i, kick := range t.kicks {
		if kick < 0 {
			continue
		}
		if t.protocol {
			t.socket.sendState(setVringEnable, uint32(i), 0)
		}
		t.socket.ask(getVringBase, binary.NativeEndian.AppendUint64(nil, uint64(i)))
		unix.Close(kick)
		t.kicks[i] = -1
	}
	return t.socket.close()
}
