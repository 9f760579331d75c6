package tor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

// within is how long a test waits for what should happen at once.
const within = 60 * time.Second

func newSwitch(t testing.TB) *Switch {
	seed := rand.Uint64()
	if _, bench := t.(*testing.B); !bench {
		t.Logf("seed %#x", seed)
	}
	sw := New(seed)
	t.Cleanup(func() {
		if err := sw.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return sw
}

func newHost(t testing.TB, sw *Switch, number byte) *Host {
	h, err := sw.AddHost(HostConfig{
		MAC:  net.HardwareAddr{2, 0, 0, 0, 0, number},
		Addr: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, number}), 24),
		MTU:  9000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// echo serves a port of h: it sends back what it gets, after its name.
func echo(t testing.TB, h *Host, port uint16, name string) {
	l, err := h.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.WriteString(c, name)
				io.Copy(c, c)
			}()
		}
	}()
}

func roundTrip(c net.Conn, size int) (name byte, err error) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(within))
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	go c.Write(sent)
	got := make([]byte, 1+size)
	if _, err := io.ReadFull(c, got); err != nil {
		return 0, err
	}
	if !bytes.Equal(got[1:], sent) {
		return 0, fmt.Errorf("%d bytes came back changed", size)
	}
	return got[0], nil
}

func TestHostsTalk(t *testing.T) {
	sw := newSwitch(t)
	a, b := newHost(t, sw, 1), newHost(t, sw, 2)
	echo(t, b, 80, "b")
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	c, err := a.Dial(ctx, netip.MustParseAddrPort("10.77.0.2:80"))
	if err != nil {
		t.Fatal(err)
	}
	if name, err := roundTrip(c, 4<<20); name != 'b' || err != nil {
		t.Fatalf("echo = %q, %v", name, err)
	}
	if s := b.Port().Stats(); s.RxFrames == 0 || s.TxFrames == 0 || s.Dropped+s.Bad != 0 {
		t.Errorf("stats of the echo's port: %+v", s)
	}
}

func TestForwardTakesTurnsAndFailsOver(t *testing.T) {
	sw := newSwitch(t)
	front := newHost(t, sw, 1)
	echo(t, newHost(t, sw, 10), 80, "a")
	newHost(t, sw, 11) // refuses
	echo(t, newHost(t, sw, 12), 80, "c")
	at, err := front.Forward("127.0.0.1:0", func() []netip.AddrPort {
		return []netip.AddrPort{
			netip.MustParseAddrPort("10.77.0.10:80"),
			netip.MustParseAddrPort("10.77.0.11:80"),
			netip.MustParseAddrPort("10.77.0.12:80"),
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	answered := map[byte]int{}
	for range 12 {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		name, err := roundTrip(c, 1000)
		if err != nil {
			t.Fatal(err)
		}
		answered[name]++
	}
	if answered['a'] < 4 || answered['c'] < 4 || answered['a']+answered['c'] != 12 {
		t.Errorf("answers by machine: %v; want about six each", answered)
	}
}

func TestForwardWithoutTargetsResets(t *testing.T) {
	sw := newSwitch(t)
	at, err := newHost(t, sw, 1).Forward("127.0.0.1:0", func() []netip.AddrPort { return nil })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		return // reset before Dial returned
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(within))
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("Read = %d bytes; want an error", n)
	}
}

// A machine whose first packet is lost, and there is no other, is waited for.
func TestForwardIsPatient(t *testing.T) {
	sw := newSwitch(t)
	front, b := newHost(t, sw, 1), newHost(t, sw, 10)
	echo(t, b, 80, "b")
	at, err := front.Forward("127.0.0.1:0", func() []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort("10.77.0.10:80")}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Port().SetFaults(Faults{Loss: 1}); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	for b.Port().Stats().Lost == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := b.Port().SetFaults(Faults{}); err != nil {
		t.Fatal(err)
	}
	if name, err := roundTrip(c, 1000); name != 'b' || err != nil {
		t.Errorf("echo = %q, %v", name, err)
	}
}

// TCP must come through a bad link unharmed, and the link must have been bad.
func TestHostsTalkOverBadLinks(t *testing.T) {
	sw := newSwitch(t)
	a, b := newHost(t, sw, 1), newHost(t, sw, 2)
	echo(t, b, 80, "b")
	f := Faults{Loss: 0.01, Duplicate: 0.02, Reorder: 0.02, Corrupt: 0.005, Delay: 100 * time.Microsecond, Jitter: 50 * time.Microsecond}
	for _, h := range []*Host{a, b} {
		if err := h.Port().SetFaults(f); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		c, err := a.Dial(ctx, netip.MustParseAddrPort("10.77.0.2:80"))
		if err != nil {
			t.Fatal(err)
		}
		if name, err := roundTrip(c, 256<<10); name != 'b' || err != nil {
			t.Fatalf("echo = %q, %v", name, err)
		}
		if s := b.Port().Stats(); s.Lost > 0 && s.Duplicated > 0 && s.Reordered > 0 && s.Corrupted > 0 {
			break
		}
	}
}
