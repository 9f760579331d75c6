//go:build !metal

package net

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/kernel"
)

// The tests call the system-call handler as the kernel would and wait the way
// Go's network poller does: after EAGAIN for an event, never for a time. An
// event that is not reported is a test that hangs and fails.

func TestMain(m *testing.M) {
	if err := startStack(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	setConfigured()
	os.Exit(m.Run())
}

var (
	self  = netip.MustParsePrefix("10.0.0.1/24") // the stack under test
	other = netip.MustParsePrefix("10.0.0.2/24") // gVisor with its own API
)

// network joins the stack under test and another one by a segment.
func network(t testing.TB, o nictest.Options) (segment *nictest.Segment, peer *stack.Stack) {
	t.Helper()
	segment = nictest.New(t, o)
	if err := attachPort(openPort(t, segment, self)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { internet.RemoveNIC(portNIC) })
	return segment, otherStack(t, openPort(t, segment, other))
}

func openPort(t testing.TB, s *nictest.Segment, addr netip.Prefix) *port.Port {
	p := port.New(s.Attach(), addr)
	t.Cleanup(func() { p.Close() })
	return p
}

func otherStack(t testing.TB, p *port.Port) *stack.Stack {
	t.Helper()
	s, err := newStack()
	if err != nil {
		t.Fatal(err)
	}
	l := newLink(p)
	if err := s.CreateNIC(portNIC, l); err != nil {
		t.Fatal(err)
	}
	cancel := p.ClaimRest(l.receive)
	if err := addAddress(s, portNIC, p.Addr(), stack.AddressProperties{}); err != nil {
		t.Fatal(err)
	}
	if err := addAddress(s, portNIC, linkLocal(l.mac), stack.AddressProperties{}); err != nil {
		t.Fatal(err)
	}
	s.SetRouteTable(routes(p.Addr(), netip.Addr{}))
	t.Cleanup(func() {
		cancel()
		s.Destroy()
	})
	return s
}

func full(p netip.Prefix, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: 0, Addr: tcpip.AddrFrom4(p.Addr().As4()), Port: port}
}

func addr(p netip.Prefix, port uint16) address { return addressOf(full(p, port), false) }

var loopbackNet = netip.MustParsePrefix("127.0.0.1/8")

// kept makes what programs pass by address escape to the heap, where it does
// not move.
var kept sync.Pool

func at[T any](p *T) uintptr {
	kept.Put(p)
	return uintptr(unsafe.Pointer(p))
}

func bytesAt(b []byte) uintptr {
	if len(b) == 0 {
		return 1
	}
	return at(&b[0])
}

// fd is a socket as a program has it.
type fd int

func try(nr uintptr, f fd, args ...uintptr) (int, error) {
	n := kernel.Invoke(nr, int(f), true, append([]uintptr{uintptr(f)}, args...)...)
	if n < 0 {
		return 0, syscall.Errno(-n)
	}
	return n, nil
}

func newSocket(typ uintptr) (fd, error) {
	n := kernel.Invoke(syscall.SYS_SOCKET, -1, true, syscall.AF_INET, typ|syscall.SOCK_NONBLOCK, 0)
	if n < 0 {
		return 0, syscall.Errno(-n)
	}
	return fd(n), nil
}

func (f fd) named(nr uintptr, a address) error {
	sa, size := sockets[f].sockaddr(a)
	_, err := try(nr, f, at(&sa), uintptr(size))
	return err
}

func (f fd) bind(a address) error    { return f.named(syscall.SYS_BIND, a) }
func (f fd) connect(a address) error { return f.named(syscall.SYS_CONNECT, a) }
func (f fd) listen(n int) error      { _, err := try(syscall.SYS_LISTEN, f, uintptr(n)); return err }
func (f fd) shutdown(how int) error  { _, err := try(syscall.SYS_SHUTDOWN, f, uintptr(how)); return err }

func (f fd) name(nr uintptr) (address, error) {
	var sa [sockaddr6Size]byte
	size := uint32(len(sa))
	if _, err := try(nr, f, at(&sa), at(&size)); err != nil {
		return address{}, err
	}
	a, e := sockets[f].sockaddrAt(at(&sa), uintptr(size))
	if e != 0 {
		return address{}, e
	}
	return a, nil
}

func (f fd) setOption(level, name, v int) error {
	w := int32(v)
	_, err := try(syscall.SYS_SETSOCKOPT, f, uintptr(level), uintptr(name), at(&w), 4)
	return err
}

func (f fd) option(level, name int) (int, error) {
	var w int32
	size := uint32(4)
	_, err := try(syscall.SYS_GETSOCKOPT, f, uintptr(level), uintptr(name), at(&w), at(&size))
	return int(w), err
}

// Close wakes who waits for f, as Go's poller does before it closes.
func (f fd) Close() error {
	_, err := try(syscall.SYS_CLOSE, f)
	kernel.SetReady(int(f), epollHup)
	return err
}

const (
	readable = epollIn | epollRdHup | epollHup | epollErr
	writable = epollOut | epollHup | epollErr
)

// patience is not how long anything takes but when a test is given up.
const patience = 40 * time.Second

// retry calls until the result is not EAGAIN and waits for an event of mask in
// between.
func (f fd) retry(mask uint32, call func() (int, error)) (int, error) {
	for {
		_, before := kernel.Ready(int(f))
		n, err := call()
		if err != syscall.EAGAIN {
			return n, err
		}
		if err := f.await(mask, before); err != nil {
			return 0, err
		}
	}
}

func (f fd) await(mask, before uint32) error {
	var begun time.Time
	nap := 20 * time.Microsecond // grows: a thousand goroutines may wait here
	for tries := 0; ; tries++ {
		if ready, edges := kernel.Ready(int(f)); edges != before && ready&mask != 0 {
			return nil
		}
		if tries < 100 {
			runtime.Gosched()
			continue
		}
		if begun.IsZero() {
			begun = time.Now()
		} else if time.Since(begun) > patience {
			ready, edges := kernel.Ready(int(f))
			return fmt.Errorf("socket %d: no event %#x: ready %#x, %d events, %d before; %s", f, mask, ready, edges, before, describe(f))
		}
		time.Sleep(nap)
		nap = min(nap*5/4, 20*time.Millisecond)
	}
}

// describe says what is known about a socket.
func describe(f fd) string {
	slot, s := &ends[f], &sockets[f]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	text := fmt.Sprintf("state %d, rx %d, tx %d, eof %v, err %d", s.state.Load(), s.rx.used(), s.tx.used(), s.eof.Load(), s.err.Load())
	if e := slot.end; e != nil && e.ep != nil {
		text += fmt.Sprintf("; gVisor is in state %v and ready %#x", tcp.EndpointState(e.ep.State()), e.ep.Readiness(waiter.AllEvents))
	}
	return text
}

func (f fd) tryRead(b []byte) (int, error) {
	return try(syscall.SYS_READ, f, bytesAt(b), uintptr(len(b)))
}

func (f fd) tryWrite(b []byte) (int, error) {
	return try(syscall.SYS_WRITE, f, bytesAt(b), uintptr(len(b)))
}

func (f fd) Read(b []byte) (int, error) {
	n, err := f.retry(readable, func() (int, error) { return f.tryRead(b) })
	if err == nil && n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, err
}

func (f fd) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := f.retry(writable, func() (int, error) { return f.tryWrite(b[done:]) })
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

func (f fd) CloseWrite() error { return f.shutdown(syscall.SHUT_WR) }

func (f fd) accept() (fd, address, error) {
	var sa [sockaddr6Size]byte
	size := uint32(len(sa))
	n, err := f.retry(readable, func() (int, error) {
		return try(syscall.SYS_ACCEPT4, f, at(&sa), at(&size), syscall.SOCK_NONBLOCK)
	})
	if err != nil {
		return 0, address{}, err
	}
	a, _ := sockets[f].sockaddrAt(at(&sa), uintptr(size))
	return fd(n), a, nil
}

// sendTo and receiveFrom are for datagrams.
func (f fd) sendTo(b []byte, a address) error {
	sa, size := sockets[f].sockaddr(a)
	_, err := f.retry(writable, func() (int, error) {
		return try(syscall.SYS_SENDTO, f, bytesAt(b), uintptr(len(b)), 0, at(&sa), uintptr(size))
	})
	return err
}

func (f fd) receiveFrom(b []byte) (int, address, error) {
	var sa [sockaddr6Size]byte
	size := uint32(len(sa))
	n, err := f.retry(readable, func() (int, error) {
		return try(syscall.SYS_RECVFROM, f, bytesAt(b), uintptr(len(b)), 0, at(&sa), at(&size))
	})
	if err != nil {
		return 0, address{}, err
	}
	a, _ := sockets[f].sockaddrAt(at(&sa), uintptr(size))
	return n, a, nil
}

// listenOn is net.Listen.
func listenOn(a address, backlog int) (fd, error) {
	f, err := newSocket(syscall.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	if err = f.setOption(syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		if err = f.bind(a); err == nil {
			err = f.listen(backlog)
		}
	}
	if err != nil {
		f.Close()
	}
	return f, err
}

// dialTo is net.Dial: see connect in net/fd_unix.go.
func dialTo(a address) (fd, error) {
	f, err := newSocket(syscall.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	return dialOn(f, a)
}

func dialOn(f fd, a address) (fd, error) {
	_, before := kernel.Ready(int(f))
	err := f.connect(a)
	if err == syscall.EINPROGRESS {
		err = nil
	}
	for err == nil {
		if err = f.await(writable, before); err != nil {
			break
		}
		_, before = kernel.Ready(int(f))
		var e int
		if e, err = f.option(syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil {
			break
		}
		if e != 0 {
			err = syscall.Errno(e)
			break
		}
		if _, err := f.name(syscall.SYS_GETPEERNAME); err == nil {
			return f, nil
		}
	}
	f.Close()
	return 0, err
}

// settle waits until all sockets are free again, and their memory.
func settle(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		busy := 0
		for i := range sockets {
			if sockets[i].state.Load() != stateFree {
				busy++
			}
		}
		lent := streamBlocks.lent() + datagramBlocks.lent()
		if busy == 0 && lent == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d sockets and %d blocks are still in use", busy, lent)
		}
	}
}

func (p *blockPool) lent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chunks*int(chunkSize/p.size) - len(p.free)
}

// pattern fills b with what a stream has from position pos on.
func pattern(b []byte, pos int) {
	for i := range b {
		b[i] = byte((pos+i)*7 + (pos+i)>>9)
	}
}

// check reads n bytes and compares them with the pattern.
func check(r io.Reader, n int) error {
	want := make([]byte, 32<<10)
	got := make([]byte, len(want))
	for pos := 0; pos < n; {
		m, err := r.Read(got[:min(len(got), n-pos)])
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", pos, err)
		}
		pattern(want[:m], pos)
		if string(got[:m]) != string(want[:m]) {
			return fmt.Errorf("bytes from %d on differ", pos)
		}
		pos += m
	}
	return nil
}

// fill writes n bytes of the pattern.
func fill(w io.Writer, n, step int) error {
	b := make([]byte, step)
	for pos := 0; pos < n; {
		m := min(step, n-pos)
		pattern(b[:m], pos)
		if _, err := w.Write(b[:m]); err != nil {
			return fmt.Errorf("after %d bytes: %w", pos, err)
		}
		pos += m
	}
	return nil
}
