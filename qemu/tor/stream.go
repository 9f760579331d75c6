package tor

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxStreamFrame is the longest frame a stream can carry without being out of
// step (QEMU's NET_BUFSIZE). Between it and MaxFrame a frame is merely bad.
const maxStreamFrame = 4096 + 65536

// readSize is how much is read at a time: dozens of frames in a batch.
const readSize = 256 << 10

// stream is a wire over a unix stream socket, as QEMU's "-netdev stream"
// speaks it and Dial does.
type stream struct {
	conn *net.UnixConn
	raw  syscall.RawConn

	// The arguments and results of write, which is made once so that
	// deliver does not allocate a closure.
	write func(fd uintptr) bool
	data  []byte
	block bool
	n     int
	err   error
}

func newStream(conn *net.UnixConn) (*stream, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("tor: %w", err)
	}
	s := &stream{conn: conn, raw: raw}
	s.write = func(fd uintptr) bool {
		for {
			s.n, s.err = unix.Write(int(fd), s.data)
			if s.err != unix.EINTR {
				break
			}
		}
		if s.err == unix.EAGAIN {
			s.n, s.err = 0, nil
			return !s.block
		}
		return true
	}
	return s, nil
}

func (s *stream) deliver(framed []byte, wait time.Duration) (int, error) {
	s.data, s.block = framed, wait > 0
	var until time.Time
	if wait > 0 {
		until = time.Now().Add(wait)
	}
	if err := s.conn.SetWriteDeadline(until); err != nil {
		return 0, err
	}
	s.n, s.err = 0, nil
	if err := s.raw.Write(s.write); err != nil {
		return 0, err
	}
	return max(s.n, 0), s.err
}

func (s *stream) close() { s.conn.Close() }

// Connect plugs a stream into p in place of what was there and forwards its
// frames until it ends. It returns when the stream is plugged in; done is
// closed when it has ended.
func (p *Port) Connect(conn *net.UnixConn) (done <-chan struct{}, err error) {
	return p.connect(conn, nil)
}

// ListenStream plugs in whoever connects to a unix socket, the last one in place of the one before,
// as Connect does. The socket file goes when the switch is closed.
func (p *Port) ListenStream(path string) error {
	return p.sw.listen(path, func(conn *net.UnixConn) {
		if done, err := p.Connect(conn); err == nil {
			<-done
		}
	})
}

// connect is Connect, with something to say before the first frame.
func (p *Port) connect(conn *net.UnixConn, first []byte) (done <-chan struct{}, err error) {
	s, err := newStream(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := p.out.plug(s, first); err != nil {
		conn.Close()
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer p.out.unplug(s)
		p.readStream(conn)
	}()
	return ended, nil
}

// ConnectPair plugs one end of a new socket pair into p and returns the
// other, for a child process to inherit. The caller closes it.
func (p *Port) ConnectPair() (*os.File, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("tor: socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(ends[1]), "peer of "+p.name)
	mine := os.NewFile(uintptr(ends[0]), p.name)
	defer mine.Close() // FileConn duplicates
	conn, err := net.FileConn(mine)
	if err != nil {
		theirs.Close()
		return nil, fmt.Errorf("tor: %w", err)
	}
	if _, err := p.Connect(conn.(*net.UnixConn)); err != nil {
		theirs.Close()
		return nil, err
	}
	return theirs, nil
}

// readStream forwards what arrives until the stream ends or is out of step.
func (p *Port) readStream(conn *net.UnixConn) {
	var b batch
	buf := make([]byte, readSize)
	held := 0 // bytes of an incomplete frame at the start of buf
	for {
		n, err := conn.Read(buf[held:])
		if n == 0 || err != nil {
			return
		}
		taken, err := splitFrames(buf[:held+n], func(frame []byte) { p.receive(&b, frame) })
		b.flush()
		if err != nil {
			p.count.Bad.Add(1)
			return
		}
		held = copy(buf, buf[taken:held+n])
	}
}

// splitFrames calls f with each complete frame of data and returns how many
// bytes those took. The error says that the stream is out of step.
func splitFrames(data []byte, f func(frame []byte)) (taken int, err error) {
	for len(data)-taken >= lengthLen {
		length := binary.BigEndian.Uint32(data[taken:])
		if length > maxStreamFrame {
			return taken, fmt.Errorf("%w: a frame of %d bytes", ErrProtocol, length)
		}
		end := taken + lengthLen + int(length)
		if end > len(data) {
			break
		}
		f(data[taken+lengthLen : end])
		taken = end
	}
	return taken, nil
}
