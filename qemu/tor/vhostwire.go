package tor

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// The vhost-user protocol on its unix socket (QEMU, docs/interop/vhost-user):
// a header of 12 bytes in host byte order, a payload, and file descriptors
// beside the header.

type request uint32

// The requests that a network device without migration and multiple queues
// gets ("Front-end message types").
const (
	getFeatures         request = 1
	setFeatures         request = 2
	setOwner            request = 3
	resetOwner          request = 4
	setMemTable         request = 5
	setVringNum         request = 8
	setVringAddr        request = 9
	setVringBase        request = 10
	getVringBase        request = 11
	setVringKick        request = 12
	setVringCall        request = 13
	setVringErr         request = 14
	getProtocolFeatures request = 15
	setProtocolFeatures request = 16
	getQueueNum         request = 17
	setVringEnable      request = 18
	sendRARP            request = 19
	netSetMTU           request = 20
	getConfig           request = 24
	setConfig           request = 25
)

// Header flags: two bits of version, which is 1; then whether it is a reply,
// and whether the front-end wants one (REPLY_ACK).
const (
	versionMask = 3
	version1    = 1
	flagReply   = 1 << 2
	flagAck     = 1 << 3
)

const (
	messageHeader = 12
	// maxPayload is enough for the largest message, a memory table of
	// maxRegions or a configuration space.
	maxPayload = 512
	// maxFDs is how many descriptors may come with one message.
	maxFDs = maxRegions
	// vringNoFD in the payload of a kick or call says that none comes.
	vringNoFD = 1 << 8
)

// message is one request. Its descriptors belong to the receiver.
type message struct {
	request request
	flags   uint32
	payload []byte
	fds     []int
}

func (m *message) closeFDs() {
	for _, fd := range m.fds {
		unix.Close(fd)
	}
	m.fds = nil
}

// takeFD hands the only descriptor of m to the caller.
func (m *message) takeFD() (int, bool) {
	if len(m.fds) != 1 {
		return -1, false
	}
	fd := m.fds[0]
	m.fds = nil
	return fd, true
}

// u64 is the payload of most messages.
func (m *message) u64() (uint64, error) {
	if len(m.payload) != 8 {
		return 0, fmt.Errorf("%w: request %d has %d bytes, not 8", ErrProtocol, m.request, len(m.payload))
	}
	return binary.NativeEndian.Uint64(m.payload), nil
}

// vringState is the payload that names a queue and a number.
func (m *message) vringState() (index, number uint32, err error) {
	v, err := m.u64()
	return uint32(v), uint32(v >> 32), err
}

// readMessage reads one request. io.EOF says that the front-end went away
// between two.
func readMessage(conn *net.UnixConn) (message, error) {
	var header [messageHeader]byte
	oob := make([]byte, unix.CmsgSpace(4*maxFDs))
	n, oobn, flags, _, err := conn.ReadMsgUnix(header[:], oob)
	if err != nil {
		return message{}, err
	}
	if n == 0 {
		return message{}, io.EOF
	}
	m := message{}
	if oobn > 0 {
		controls, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return m, fmt.Errorf("%w: control message: %v", ErrProtocol, err)
		}
		for i := range controls {
			if fds, err := unix.ParseUnixRights(&controls[i]); err == nil {
				m.fds = append(m.fds, fds...)
			}
		}
	}
	fail := func(format string, args ...any) (message, error) {
		m.closeFDs()
		return message{}, fmt.Errorf("%w: "+format, append([]any{ErrProtocol}, args...)...)
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return fail("too many descriptors")
	}
	if _, err := io.ReadFull(conn, header[n:]); err != nil {
		m.closeFDs()
		return message{}, err
	}
	m.request = request(binary.NativeEndian.Uint32(header[0:]))
	m.flags = binary.NativeEndian.Uint32(header[4:])
	size := binary.NativeEndian.Uint32(header[8:])
	if m.flags&versionMask != version1 || m.flags&flagReply != 0 {
		return fail("request %d with flags %#x", m.request, m.flags)
	}
	if size > maxPayload {
		return fail("request %d of %d bytes", m.request, size)
	}
	m.payload = make([]byte, size)
	if _, err := io.ReadFull(conn, m.payload); err != nil {
		m.closeFDs()
		return message{}, err
	}
	return m, nil
}

// writeReply answers a request.
func writeReply(conn *net.UnixConn, r request, payload []byte) error {
	b := binary.NativeEndian.AppendUint32(nil, uint32(r))
	b = binary.NativeEndian.AppendUint32(b, version1|flagReply)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(payload)))
	_, err := conn.Write(append(b, payload...))
	return err
}

func replyU64(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }
