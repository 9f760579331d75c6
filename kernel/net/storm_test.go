//go:build !metal

package net

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"nuos/drivers/nic/nictest"
)

// TestAcceptStorm opens thousands of short connections from the other stack,
// many at a time; some are closed before they say anything.
func TestAcceptStorm(t *testing.T) {
	_, peer := network(t, nictest.Options{MTU: 1500})
	l, err := listenOn(addr(self, 17), 512)
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	const connections, parallel = 4000, 50
	var next atomic.Int32
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for n := next.Add(1); n <= connections; n = next.Add(1) {
				c, err := gonet.DialTCP(peer, full(self, 17), ipv4.ProtocolNumber)
				if err != nil {
					t.Errorf("connection %d: %v", n, err)
					continue
				}
				if n%8 != 0 {
					if err := say(c, fmt.Sprint("number ", n)); err != nil {
						t.Errorf("connection %d: %v", n, err)
					}
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	l.Close()
	settle(t)
}

// TestDialStorm does the same from the programs' side, over loopback.
func TestDialStorm(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 0), 512)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := l.name(syscall.SYS_GETSOCKNAME)
	serveEcho(t, l)
	const connections, parallel = 3000, 30
	var next atomic.Int32
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for n := next.Add(1); n <= connections; n = next.Add(1) {
				c, err := dialTo(a)
				if err != nil {
					t.Errorf("connection %d: %v", n, err)
					continue
				}
				if n%8 != 0 {
					if err := say(c, fmt.Sprint("number ", n)); err != nil {
						t.Errorf("connection %d: %v", n, err)
					}
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	l.Close()
	settle(t)
}

// say wants message back.
func say(c io.ReadWriter, message string) error {
	if _, err := c.Write([]byte(message)); err != nil {
		return err
	}
	got := make([]byte, len(message))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != message {
		return fmt.Errorf("got %q; want %q", got, message)
	}
	return nil
}

// TestManyAtOnce holds a thousand connections open and uses them all.
func TestManyAtOnce(t *testing.T) {
	_, peer := network(t, nictest.Options{MTU: 1500})
	l, err := listenOn(addr(self, 19), 256)
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	var conns []*gonet.TCPConn
	for range 1000 {
		c, err := gonet.DialTCP(peer, full(self, 19), ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for round := range 3 {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for n := i; n < len(conns); n += 20 {
					if err := say(conns[n], fmt.Sprint(round, n)); err != nil {
						t.Errorf("connection %d, round %d: %v", n, round, err)
					}
				}
			})
		}
		wg.Wait()
	}
	for _, c := range conns {
		c.Close()
	}
	l.Close()
	settle(t)
}

// TestTooMany uses every socket there is: then calls fail, and connections
// that arrive wait until one is free.
func TestTooMany(t *testing.T) {
	_, peer := network(t, nictest.Options{})
	l, err := listenOn(addr(self, 21), 16)
	if err != nil {
		t.Fatal(err)
	}
	var all []fd
	for {
		f, err := newSocket(syscall.SOCK_STREAM)
		if err != nil {
			if err != syscall.ENFILE {
				t.Errorf("socket number %d: %v; want ENFILE", len(all), err)
			}
			break
		}
		if all = append(all, f); len(all) > maxSockets {
			t.Fatal("there is no end")
		}
	}
	c, err := gonet.DialTCP(peer, full(self, 21), ipv4.ProtocolNumber)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if _, err := c.Write([]byte("patience")); err != nil {
		t.Fatal(err)
	}
	if n, err := try(syscall.SYS_ACCEPT4, l, 0, 0, 0); err != syscall.EAGAIN {
		t.Errorf("accept = %d, %v; want EAGAIN", n, err)
	}
	// The listener is served, and finds no socket, before any is closed.
	slot := &ends[l]
	for starved := false; !starved; {
		slot.mu.Lock()
		starved = starving.any.Load()
		slot.mu.Unlock()
	}
	for _, f := range all {
		f.Close()
	}
	s, _, err := l.accept()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := s.Read(b); err != nil || string(b[:n]) != "patience" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	s.Close()
	c.Close()
	l.Close()
	settle(t)
}

// TestUnfetched closes a listener with connections that were never accepted:
// their peers get a reset, nothing is left.
func TestUnfetched(t *testing.T) {
	_, peer := network(t, nictest.Options{})
	l, err := listenOn(addr(self, 23), 128)
	if err != nil {
		t.Fatal(err)
	}
	var conns []*gonet.TCPConn
	for range 100 { // more than maxAccepted
		c, err := gonet.DialTCP(peer, full(self, 23), ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	l.Close()
	for i, c := range conns {
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("connection %d: read %d bytes", i, n)
		}
		c.Close()
	}
	settle(t)
}

// TestLossyLink moves data both ways over a link that loses, repeats, reorders
// and corrupts frames.
func TestLossyLink(t *testing.T) {
	segment, peer := network(t, nictest.Options{MTU: 1500})
	segment.SetFaults(nictest.Faults{Loss: 0.01, Duplicate: 0.01, Reorder: 0.02, Corrupt: 0.005, Truncate: 0.005})
	l, err := listenOn(addr(self, 25), 16)
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	const size = 128 << 10
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c, err := gonet.DialTCP(peer, full(self, 25), ipv4.ProtocolNumber)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			wg.Go(func() {
				if err := fill(c, size, 5000); err != nil {
					t.Error(err)
				}
				c.CloseWrite()
			})
			if err := check(c, size); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	segment.SetFaults(nictest.Faults{})
	l.Close()
	settle(t)
}

// TestBackPressure writes to a peer that does not read: the writer is stopped
// by EAGAIN, at a bounded amount, and goes on when the peer reads.
func TestBackPressure(t *testing.T) {
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
	sent, b := 0, make([]byte, 8<<10)
	for {
		pattern(b, sent)
		n, err := c.tryWrite(b)
		if sent += n; err == nil {
			continue
		}
		if !errors.Is(err, syscall.EAGAIN) {
			t.Fatal(err)
		}
		if stalled(c) {
			break
		}
	}
	if most := 2*maxBuffer + 2*streamRing; sent > most {
		t.Errorf("%d bytes were taken; want at most %d", sent, most)
	}
	var wg sync.WaitGroup
	const more = 1 << 20
	wg.Go(func() {
		w := make([]byte, 10000)
		for n := 0; n < more; n += len(w) {
			pattern(w, sent+n)
			if _, err := c.Write(w); err != nil {
				t.Error(err)
			}
		}
		c.CloseWrite()
	})
	if err := check(s, sent+more); err != nil {
		t.Error(err)
	}
	wg.Wait()
	c.Close()
	s.Close()
	l.Close()
	settle(t)
}
