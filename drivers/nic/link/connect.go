//go:build !metal

package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"nuos/mm"
)

// How two machines meet. Each sends the other a greeting, with its memory and the eventfd that
// wakes it, and looks at the other's ring from then on. Then nothing is said until one of
// them ends: a machine that reads the end of the connection lets go of the other's
// memory and closes its side.
//
// Greeting: magic 8, size of the memory 8, device address of the end 8.
const (
	magic        = "nuoslnk1"
	greetingSize = 24
)

// patience is how long the other may take to greet, or to let go.
const patience = 10 * time.Second

// peer is the other machine.
type peer struct {
	end
	memory []byte // all of it, read-only
	event  int
}

// wake makes the peer's eventfd readable. The raw system call does not tell Go's scheduler,
// which is right for one that cannot block.
func (p *peer) wake() {
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(p.event), uintptr(unsafe.Pointer(&one)), 8)
}

// connect meets one machine after the other, until the device is closed.
func (d *Device) connect(path string) {
	defer close(d.ended)
	for {
		conn, err := d.meet(path)
		if err == nil {
			err = d.serve(conn)
			conn.Close()
		}
		d.mu.Lock()
		d.conn = nil
		closed := d.closed
		d.mu.Unlock()
		if closed {
			return
		}
		if err != nil {
			d.stats.strange.Add(1)
			time.Sleep(10 * time.Millisecond) // and not as fast as nonsense may come
		}
	}
}

// meet returns a connection to the other machine. Of two that come at the same time one
// listens: they look one after the other.
func (d *Device) meet(path string) (*net.UnixConn, error) {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, err
	}
	address := &net.UnixAddr{Name: path, Net: "unix"}
	conn, err := net.DialUnix("unix", nil, address)
	if err == nil {
		return d.met(conn)
	}
	// Nobody listens; what is there is of a machine that has ended.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", address)
	if err != nil {
		return nil, err
	}
	lock.Close()
	defer l.Close()
	d.mu.Lock()
	d.listener = l
	if d.closed {
		l.Close()
	}
	d.mu.Unlock()
	conn, err = l.AcceptUnix()
	d.mu.Lock()
	d.listener = nil
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return d.met(conn)
}

// met notes a connection for Close to end.
func (d *Device) met(conn *net.UnixConn) (*net.UnixConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	d.conn = conn
	return conn, nil
}

// serve is plugged in until the peer ends, or the device is closed.
func (d *Device) serve(conn *net.UnixConn) error {
	d.reset()
	conn.SetDeadline(time.Now().Add(patience))
	if err := d.greet(conn); err != nil {
		return err
	}
	p, err := readGreeting(conn)
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Time{})
	d.plug(p)
	defer func() {
		d.unplug()
		unix.Munmap(p.memory)
		unix.Close(p.event)
	}()
	var b [1]byte
	n, err := conn.Read(b[:])
	switch {
	case n > 0:
		return ErrPeer
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}

// reset makes this machine's end as if new, while nobody looks at it.
func (d *Device) reset() {
	d.rx.mu.Lock()
	d.rx.consumer = consumer{}
	atomic.StoreUint32(d.own.head, 0)
	want := uint32(0)
	if d.rx.armed {
		want = d.rx.wish // somebody waits since before
	}
	atomic.StoreUint32(d.own.want, want)
	d.rx.mu.Unlock()

	t := &d.tx
	t.mu.Lock()
	t.tail, t.done, t.written, t.freed, t.told = 0, 0, 0, 0, 0
	t.publish()
	t.mu.Unlock()
}

// plug begins to send to p and to receive from it.
func (d *Device) plug(p *peer) {
	d.tx.mu.Lock()
	d.tx.peer = p
	d.tx.mu.Unlock()
	d.rx.mu.Lock()
	d.rx.peer = p
	d.rx.mu.Unlock()
}

// unplug returns when nothing of the peer's memory is lent any more.
func (d *Device) unplug() {
	d.rx.mu.Lock()
	d.rx.peer = nil
	for d.rx.lent > 0 {
		d.rx.free.Wait()
	}
	d.rx.mu.Unlock()

	d.tx.mu.Lock()
	d.tx.peer = nil
	d.tx.completed = d.tx.queued // nobody reads it any more
	d.tx.mu.Unlock()
}

// greet says where this machine's end is.
func (d *Device) greet(conn *net.UnixConn) error {
	fd, size := mm.SharedMemory()
	phys, _, _ := mm.Translate(d.memory.Base)
	b := binary.LittleEndian.AppendUint64([]byte(magic), size)
	b = binary.LittleEndian.AppendUint64(b, uint64(phys))
	var sendErr error
	if err := control(d.event, func(event int) {
		_, _, sendErr = conn.WriteMsgUnix(b, unix.UnixRights(fd, event), nil)
	}); err != nil {
		return err
	}
	return sendErr
}

// control calls f with the descriptor of an open file.
func control(file *os.File, f func(fd int)) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// readGreeting maps the other machine's memory.
func readGreeting(conn *net.UnixConn) (*peer, error) {
	b, oob := make([]byte, greetingSize), make([]byte, unix.CmsgSpace(2*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(b, oob)
	if err != nil {
		return nil, err
	}
	var fds []int
	if controls, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil {
		for i := range controls {
			more, _ := unix.ParseUnixRights(&controls[i])
			fds = append(fds, more...)
		}
	}
	fail := func(format string, args ...any) (*peer, error) {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrPeer}, args...)...)
	}
	if n != greetingSize || string(b[:8]) != magic || len(fds) != 2 {
		return fail("a greeting of %d bytes with %d descriptors", n, len(fds))
	}
	size, at := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	const most = 1 << 46 // what can be mapped at all
	if size > most || size < endSize || at > size-endSize || at%mm.PageSize != 0 {
		return fail("memory of %#x bytes with an end at %#x", size, at)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fds[0], &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || uint64(st.Size) < size {
		return fail("memory of %#x bytes is not in its file", size)
	}
	// A file that shrinks would take pages away under our hands.
	if seals, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		return fail("its memory may shrink")
	}
	if err := unix.SetNonblock(fds[1], true); err != nil {
		return fail("%v", err)
	}
	memory, err := unix.Mmap(fds[0], 0, int(size), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return fail("%v", err)
	}
	unix.Close(fds[0])
	unix.CloseOnExec(fds[1])
	return &peer{end: endAt(memory[at : at+endSize]), memory: memory, event: fds[1]}, nil
}
