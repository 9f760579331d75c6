//go:build !metal

package net

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"nuos/drivers/nic/nictest"
)

func echo(f fd) error {
	b := make([]byte, 16<<10)
	for {
		n, err := f.Read(b)
		if err == io.EOF {
			return f.CloseWrite()
		}
		if err != nil {
			return err
		}
		if _, err := f.Write(b[:n]); err != nil {
			return err
		}
	}
}

// serveEcho accepts until the listener is closed.
func serveEcho(t *testing.T, l fd) {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	wg.Go(func() {
		for {
			c, _, err := l.accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if err := echo(c); err != nil {
					t.Errorf("echo: %v", err)
				}
			})
		}
	})
}

// TestEcho has the other stack's clients echo through programs' sockets.
func TestEcho(t *testing.T) {
	_, peer := network(t, nictest.Options{MTU: 1500})
	l, err := listenOn(addr(self, 7), 128)
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	const clients, size = 8, 256 << 10
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c, err := gonet.DialTCP(peer, full(self, 7), ipv4.ProtocolNumber)
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer c.Close()
			wg.Go(func() {
				if err := fill(c, size, 1+rand.IntN(40000)); err != nil {
					t.Errorf("fill: %v", err)
				}
				c.CloseWrite()
			})
			if err := check(c, size); err != nil {
				t.Errorf("check: %v", err)
			}
			if n, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after all: %d, %v; want EOF", n, err)
			}
		})
	}
	wg.Wait()
	l.Close()
	settle(t)
}

// TestLoopback has programs' sockets talk to each other.
func TestLoopback(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 0), 128)
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.name(syscall.SYS_GETSOCKNAME)
	if err != nil || a.port == 0 {
		t.Fatalf("getsockname = %v, %v; want a port", a, err)
	}
	serveEcho(t, l)
	const clients, size = 8, 300 << 10
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c, err := dialTo(a)
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer c.Close()
			wg.Go(func() {
				if err := fill(c, size, 1+rand.IntN(60000)); err != nil {
					t.Errorf("fill: %v", err)
				}
				if err := c.CloseWrite(); err != nil {
					t.Errorf("shutdown: %v", err)
				}
			})
			if err := check(c, size); err != nil {
				t.Errorf("check: %v", err)
			}
			if n, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after all: %d, %v; want EOF", n, err)
			}
		})
	}
	wg.Wait()
	l.Close()
	settle(t)
}

// TestPingPong looks for lost events: many short exchanges, in each of which
// both sides sleep.
func TestPingPong(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 0), 16)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := l.name(syscall.SYS_GETSOCKNAME)
	serveEcho(t, l)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c, err := dialTo(a)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			b := make([]byte, 1)
			for i := range 3000 {
				if _, err := c.Write([]byte{byte(i)}); err != nil {
					t.Errorf("write %d: %v", i, err)
					return
				}
				if _, err := c.Read(b); err != nil || b[0] != byte(i) {
					t.Errorf("read %d: %d, %v", i, b[0], err)
					return
				}
			}
		})
	}
	wg.Wait()
	l.Close()
	settle(t)
}

// TestBigTransfer moves more than every buffer holds, each way, with a reader
// that is now slower and now faster than the writer.
func TestBigTransfer(t *testing.T) {
	_, peer := network(t, nictest.Options{MTU: 9000})
	l, err := listenOn(addr(self, 9), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := gonet.DialTCP(peer, full(self, 9), ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, from, err := l.accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := fmt.Sprint(client.LocalAddr()); got != fmt.Sprintf("10.0.0.2:%d", from.port) {
		t.Errorf("accept says the peer is %#x, it is %s", from, got)
	}
	const size = 8 << 20
	var wg sync.WaitGroup
	for _, way := range []struct {
		name string
		w    io.Writer
		r    io.Reader
	}{{"in", client, c}, {"out", c, client}} {
		wg.Go(func() {
			if err := fill(way.w, size, 100000); err != nil {
				t.Errorf("%s: %v", way.name, err)
			}
		})
		wg.Go(func() {
			if err := check(way.r, size); err != nil {
				t.Errorf("%s: %v", way.name, err)
			}
		})
	}
	wg.Wait()
}

func TestRefused(t *testing.T) {
	network(t, nictest.Options{})
	for _, a := range []address{addr(other, 1), addr(loopbackNet, 1), addr(self, 1)} {
		if f, err := dialTo(a); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialling %#x = %d, %v; want ECONNREFUSED", a, f, err)
		}
	}
	settle(t)
}

func TestAddressInUse(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 4000), 1)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := listenOn(addr(loopbackNet, 4000), 1); err != syscall.EADDRINUSE {
		t.Errorf("a second listener = %d, %v; want EADDRINUSE", f, err)
	}
	l.Close()
	settle(t)
	if l, err = listenOn(addr(loopbackNet, 4000), 1); err != nil {
		t.Errorf("listening again: %v", err)
	}
	l.Close()
	settle(t)
}

// TestReset checks what both sides see of a connection that ends with a reset.
func TestReset(t *testing.T) {
	_, peer := network(t, nictest.Options{})
	l, err := listenOn(addr(self, 11), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, unread := range []bool{false, true} {
		client, err := gonet.DialTCP(peer, full(self, 11), ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := l.accept()
		if err != nil {
			t.Fatal(err)
		}
		if unread {
			if _, err := client.Write([]byte("nobody reads this")); err != nil {
				t.Fatal(err)
			}
			// Only what has arrived is unread.
			if _, err := c.retry(readable, func() (int, error) {
				var b [1]byte
				return try(syscall.SYS_RECVFROM, c, at(&b), 1, syscall.MSG_PEEK, 0, 0)
			}); err != nil {
				t.Fatal(err)
			}
		} else {
			linger := [2]int32{1, 0}
			if _, err := try(syscall.SYS_SETSOCKOPT, c, syscall.SOL_SOCKET, syscall.SO_LINGER, at(&linger), 8); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		if n, err := client.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("unread %v: the peer reads %d, %v; want a reset", unread, n, err)
		}
		client.Close()
	}
	l.Close()
	settle(t)
}

// TestPeerResets checks the program's side: bytes that came before the reset,
// then ECONNRESET once, then end of file; EPIPE for writes.
func TestPeerResets(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := l.name(syscall.SYS_GETSOCKNAME)
	c, err := dialTo(a)
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := l.accept()
	if err != nil {
		t.Fatal(err)
	}
	linger := [2]int32{1, 0}
	if _, err := try(syscall.SYS_SETSOCKOPT, s, syscall.SOL_SOCKET, syscall.SO_LINGER, at(&linger), 8); err != nil {
		t.Fatal(err)
	}
	s.Close()
	b := make([]byte, 10)
	if _, err := c.Read(b); err != syscall.ECONNRESET {
		t.Errorf("read: %v; want ECONNRESET", err)
	}
	if _, err := c.tryWrite(b); err != syscall.EPIPE {
		t.Errorf("write: %v; want EPIPE", err)
	}
	if n, err := c.tryRead(b); n != 0 || err != nil {
		t.Errorf("read again: %d, %v; want end of file", n, err)
	}
	c.Close()
	l.Close()
	settle(t)
}

// TestDialBeforeAddress dials while the machine has no address yet.
func TestDialBeforeAddress(t *testing.T) {
	_, peer := network(t, nictest.Options{})
	pl, err := gonet.ListenTCP(peer, full(other, 27), ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer pl.Close()
	configured = make(chan struct{})
	dialled := make(chan error, 1)
	var c fd
	go func() {
		var err error
		c, err = dialTo(addr(other, 27))
		dialled <- err
	}()
	for waits := false; !waits; runtime.Gosched() {
		for i := range ends {
			slot := &ends[i]
			slot.mu.Lock()
			waits = waits || slot.end != nil && slot.end.patient
			slot.mu.Unlock()
		}
	}
	close(configured)
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
	c.Close()
	settle(t)
}

// TestNoMemory has no memory for rings: calls fail, what arrives waits.
func TestNoMemory(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 0), 4)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := l.name(syscall.SYS_GETSOCKNAME)
	left := budget.Swap(0)
	defer func() { budget.Add(left) }()
	var taken []uintptr
	for base, ok := streamBlocks.take(); ok; base, ok = streamBlocks.take() {
		taken = append(taken, base)
	}
	if c, err := dialTo(a); err != syscall.ENOBUFS {
		t.Errorf("dial = %d, %v; want ENOBUFS", c, err)
	}
	if f, err := listenOn(addr(loopbackNet, 0), 1); err != syscall.ENOBUFS {
		t.Errorf("listen = %d, %v; want ENOBUFS", f, err)
	}
	for _, base := range taken {
		streamBlocks.give(base)
	}
	c, err := dialTo(a)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	l.Close()
	settle(t)
}

// TestHalfClose sends after the peer has said that it sends no more.
func TestHalfClose(t *testing.T) {
	_, peer := network(t, nictest.Options{})
	pl, err := gonet.ListenTCP(peer, full(other, 13), ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer pl.Close()
	c, err := dialTo(addr(other, 13))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.(*gonet.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read = %d, %v; want EOF", n, err)
	}
	const size = 1 << 20
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := fill(c, size, 50000); err != nil {
			t.Error(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := c.tryWrite([]byte("x")); err != syscall.EPIPE {
			t.Errorf("write after shutdown: %v; want EPIPE", err)
		}
	})
	if err := check(p, size); err != nil {
		t.Error(err)
	}
	if n, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer reads %d, %v; want EOF", n, err)
	}
	wg.Wait()
	c.Close()
	settle(t)
}

// TestCloseUnsent closes a connection that has more to send than the peer
// takes at once: all of it must arrive, and the socket is free at once.
func TestCloseUnsent(t *testing.T) {
	_, peer := network(t, nictest.Options{MTU: 1500})
	pl, err := gonet.ListenTCP(peer, full(other, 15), ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer pl.Close()
	c, err := dialTo(addr(other, 15))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sent := 0
	b := make([]byte, 8<<10)
	for { // until every buffer on the way is full, for a while
		pattern(b, sent)
		n, err := c.tryWrite(b)
		if err == syscall.EAGAIN {
			if stalled(c) {
				break
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	c.Close()
	settle(t)
	if err := check(p, sent); err != nil {
		t.Error(err)
	}
	if n, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after all: %d, %v; want EOF", n, err)
	}
}

// stalled reports whether gVisor takes nothing more from a full ring.
func stalled(c fd) bool {
	slot := &ends[c]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	before := sockets[c].tx.used()
	slot.end.sendStream()
	return sockets[c].tx.used() == before && before == streamRing
}
