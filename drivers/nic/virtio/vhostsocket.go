//go:build !metal

package virtio

import (
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// request is a message type of the vhost-user protocol.
type request uint32

const (
	getFeatures         request = 1
	setFeatures         request = 2
	setOwner            request = 3
	setMemTable         request = 5
	setVringNum         request = 8
	setVringAddr        request = 9
	setVringBase        request = 10
	getVringBase        request = 11
	setVringKick        request = 12
	setVringCall        request = 13
	getProtocolFeatures request = 15
	setProtocolFeatures request = 16
	setVringEnable      request = 18
	getConfig           request = 24
)

// A message has a header of three words (request, flags, size of the payload)
// in the byte order of the machine.
const (
	messageHeader = 12
	flagVersion   = 1
	flagReply     = 4
	maxReply      = 256
	vringNoFD     = 1 << 8 // in the payload of kick and call: no descriptor
)

// patience is how many seconds a back-end may take to answer; what is no
// back-end at all never does.
const patience = 10

// socket is the connection to a back-end. Its calls block, which only opening
// and closing a device may do.
type socket struct{ fd int }

func dialSocket(path string) (socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return socket{}, err
	}
	if err := retry(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) }); err != nil {
		unix.Close(fd)
		return socket{}, err
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: patience}); err != nil {
		unix.Close(fd)
		return socket{}, err
	}
	return socket{fd}, nil
}

// retry repeats a system call that a signal interrupts.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func (s socket) close() error { return unix.Close(s.fd) }

// send sends a message, with a descriptor unless fd is negative.
func (s socket) send(r request, payload []byte, fd int) error {
	b := binary.NativeEndian.AppendUint32(nil, uint32(r))
	b = binary.NativeEndian.AppendUint32(b, flagVersion)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, payload...)
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	for len(b) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = unix.SendmsgN(s.fd, b, rights, nil, unix.MSG_NOSIGNAL)
			return err
		})
		if err != nil {
			return fmt.Errorf("%w: request %d: %w", ErrBackend, r, err)
		}
		b, rights = b[n:], nil
	}
	return nil
}

func (s socket) sendU64(r request, v uint64) error {
	return s.send(r, binary.NativeEndian.AppendUint64(nil, v), -1)
}

func (s socket) sendState(r request, queue, value uint32) error {
	b := binary.NativeEndian.AppendUint32(nil, queue)
	return s.send(r, binary.NativeEndian.AppendUint32(b, value), -1)
}

func (s socket) sendFD(r request, queue, fd int) error {
	return s.send(r, binary.NativeEndian.AppendUint64(nil, uint64(queue)), fd)
}

// ask sends a message and returns the payload of its reply.
func (s socket) ask(r request, payload []byte) ([]byte, error) {
	if err := s.send(r, payload, -1); err != nil {
		return nil, err
	}
	var header [messageHeader]byte
	if err := s.read(header[:]); err != nil {
		return nil, fmt.Errorf("%w: reply to request %d: %w", ErrBackend, r, err)
	}
	got := request(binary.NativeEndian.Uint32(header[0:]))
	flags := binary.NativeEndian.Uint32(header[4:])
	size := binary.NativeEndian.Uint32(header[8:])
	if got != r || flags&flagReply == 0 || size > maxReply {
		return nil, fmt.Errorf("%w: request %d answered by %d with flags %#x and %d bytes", ErrBackend, r, got, flags, size)
	}
	reply := make([]byte, size)
	if err := s.read(reply); err != nil {
		return nil, fmt.Errorf("%w: reply to request %d: %w", ErrBackend, r, err)
	}
	return reply, nil
}

func (s socket) askU64(r request) (uint64, error) {
	b, err := s.ask(r, nil)
	if err == nil && len(b) != 8 {
		err = fmt.Errorf("%w: request %d answered with %d bytes", ErrBackend, r, len(b))
	}
	if err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(b), nil
}

func (s socket) read(b []byte) error {
	for len(b) > 0 {
		var n int
		err := retry(func() (err error) { n, err = unix.Read(s.fd, b); return err })
		if err == unix.EAGAIN {
			return fmt.Errorf("none within %d s", patience)
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
	}
	return nil
}
