package tor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// peer is the other end of a stream port.
type peer struct {
	t    testing.TB
	port *Port
	conn net.Conn
	mac  [6]byte
}

func newPeer(t testing.TB, sw *Switch, number byte) *peer {
	p := &peer{t: t, port: sw.AddPort(string('A' + rune(number))), mac: [6]byte{2, 0, 0, 0, 0, number}}
	p.plugIn()
	return p
}

func (p *peer) plugIn() {
	f, err := p.port.ConnectPair()
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	if p.conn, err = net.FileConn(f); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.conn.Close() })
}

var everybody = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// frame is an Ethernet frame with number and padding in it.
func frame(to, from [6]byte, number, size int) []byte {
	f := make([]byte, max(size, headerLen+4))
	copy(f, to[:])
	copy(f[6:], from[:])
	binary.BigEndian.PutUint16(f[12:], 0x88b5) // local experiments
	binary.BigEndian.PutUint32(f[14:], uint32(number))
	for i := 18; i < len(f); i++ {
		f[i] = byte(i + number)
	}
	return f
}

func numberOf(f []byte) int { return int(binary.BigEndian.Uint32(f[14:])) }

func framed(frames ...[]byte) (out []byte) {
	for _, f := range frames {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(f))), f...)
	}
	return out
}

func (p *peer) send(frames ...[]byte) {
	p.t.Helper()
	if _, err := p.conn.Write(framed(frames...)); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next frame.
func (p *peer) receive() []byte {
	p.t.Helper()
	f, err := p.next(within)
	if err != nil {
		p.t.Fatalf("%s: %v", p.port.Name(), err)
	}
	return f
}

func (p *peer) next(wait time.Duration) ([]byte, error) {
	p.conn.SetReadDeadline(time.Now().Add(wait))
	var length [4]byte
	if _, err := io.ReadFull(p.conn, length[:]); err != nil {
		return nil, err
	}
	f := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(p.conn, f)
	return f, err
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(within); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestLearning(t *testing.T) {
	sw := newSwitch(t)
	a, b, c := newPeer(t, sw, 1), newPeer(t, sw, 2), newPeer(t, sw, 3)
	a.send(frame(b.mac, a.mac, 1, 60)) // unknown: flooded
	for _, p := range []*peer{b, c} {
		if got := p.receive(); numberOf(got) != 1 {
			t.Errorf("%s got frame %d; want the flooded one", p.port.Name(), numberOf(got))
		}
	}
	b.send(frame(a.mac, b.mac, 2, 60)) // known: not to c
	if got := a.receive(); numberOf(got) != 2 {
		t.Errorf("a got frame %d; want 2", numberOf(got))
	}
	a.send(frame(b.mac, a.mac, 3, 9014), frame(everybody, a.mac, 4, 60))
	if got := b.receive(); !bytes.Equal(got, frame(b.mac, a.mac, 3, 9014)) {
		t.Errorf("b got %d bytes, frame %d; want all of frame 3", len(got), numberOf(got))
	}
	if got := c.receive(); numberOf(got) != 4 {
		t.Errorf("c got frame %d; want only the broadcast, 4", numberOf(got))
	}
	// A card that moves is found again.
	c.send(frame(everybody, b.mac, 5, 60))
	if got := a.receive(); numberOf(got) != 5 {
		t.Errorf("a got frame %d; want 5", numberOf(got))
	}
	a.send(frame(b.mac, a.mac, 6, 60))
	if got := c.receive(); numberOf(got) != 6 {
		t.Errorf("c got frame %d; want 6", numberOf(got))
	}
}

func TestBadFramesAreCounted(t *testing.T) {
	sw := newSwitch(t)
	a, b := newPeer(t, sw, 1), newPeer(t, sw, 2)
	a.send(nil, make([]byte, headerLen-1), make([]byte, MaxFrame+1), frame(b.mac, a.mac, 7, 60))
	if got := b.receive(); numberOf(got) != 7 {
		t.Errorf("got frame %d after bad ones; want 7", numberOf(got))
	}
	if s := a.port.Stats(); s.Bad != 3 || s.RxFrames != 1 {
		t.Errorf("stats %+v; want 3 bad, 1 received", s)
	}
	// Out of step: that peer goes, the others stay.
	a.conn.Write([]byte{0xff, 0, 0, 0})
	if _, err := a.next(within); !errors.Is(err, io.EOF) {
		t.Errorf("after a length of 4 GiB: %v; want EOF", err)
	}
	eventually(t, "a is unplugged", func() bool { return !a.port.Plugged() })
	a.plugIn()
	a.send(frame(b.mac, a.mac, 8, 60))
	if got := b.receive(); numberOf(got) != 8 {
		t.Errorf("got frame %d after a new plug; want 8", numberOf(got))
	}
}

func TestInject(t *testing.T) {
	sw := newSwitch(t)
	a := newPeer(t, sw, 1)
	a.port.SetFaults(Faults{Loss: 1})
	for _, bytesIn := range [][]byte{{}, {1, 2, 3}, make([]byte, MaxFrame+100)} {
		a.port.Inject(bytesIn)
		if got := a.receive(); !bytes.Equal(got, bytesIn) {
			t.Errorf("injected %d bytes, got %d", len(bytesIn), len(got))
		}
	}
}

// A peer that reads slowly loses nothing; one that has stopped costs its
// senders a moment, once, and only its own frames.
func TestStoppedPeer(t *testing.T) {
	sw := newSwitch(t)
	a, slow, other := newPeer(t, sw, 1), newPeer(t, sw, 2), newPeer(t, sw, 3)
	for _, p := range []*peer{slow, other} {
		p.send(frame(a.mac, p.mac, 0, 60))
		a.receive()
	}
	const size, count = 9000, 2 * queueLimit / 9000
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range count {
			if i%2 == 0 {
				a.send(frame(slow.mac, a.mac, i, size))
			} else {
				a.send(frame(other.mac, a.mac, i, size))
			}
		}
		// The queue of slow is full now, or nearly.
		for i := range count {
			a.send(frame(slow.mac, a.mac, count+i, size))
		}
		a.send(frame(other.mac, a.mac, 3*count, size))
	}()
	for i := 1; i < count; i += 2 {
		if got := other.receive(); numberOf(got) != i {
			// The broadcasts that taught the switch come first.
			if numberOf(got) == 0 {
				i -= 2
				continue
			}
			t.Fatalf("the other got frame %d; want %d", numberOf(got), i)
		}
	}
	if got := other.receive(); numberOf(got) != 3*count {
		t.Fatalf("the other got frame %d; want %d", numberOf(got), 3*count)
	}
	<-sent
	s := slow.port.Stats()
	if s.Dropped == 0 {
		t.Fatalf("nothing was dropped for a stopped peer: %+v", s)
	}
	// What was queued arrives in order when it goes on, and then new frames.
	last := -1
	for range s.TxFrames {
		n := numberOf(slow.receive())
		if n < last {
			t.Fatalf("frame %d after %d", n, last)
		}
		last = n
	}
	a.send(frame(slow.mac, a.mac, 4*count, size))
	if got := slow.receive(); numberOf(got) != 4*count {
		t.Errorf("the slow one got frame %d after it went on; want %d", numberOf(got), 4*count)
	}
}

func TestPartition(t *testing.T) {
	sw := newSwitch(t)
	a, b, c := newPeer(t, sw, 1), newPeer(t, sw, 2), newPeer(t, sw, 3)
	sw.Partition([]*Port{a.port}, []*Port{b.port})
	a.send(frame(everybody, a.mac, 1, 60))
	if got := c.receive(); numberOf(got) != 1 {
		t.Errorf("c, in no group, got frame %d; want 1", numberOf(got))
	}
	if s := b.port.Stats(); s.Partitioned != 1 || s.TxFrames != 0 {
		t.Errorf("b beyond the partition: %+v", s)
	}
	sw.Partition()
	a.send(frame(everybody, a.mac, 2, 60))
	if got := b.receive(); numberOf(got) != 2 {
		t.Errorf("b got frame %d after healing; want 2", numberOf(got))
	}
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	sw := New(1)
	a := newPeer(t, sw, 1)
	if err := sw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.next(within); !errors.Is(err, io.EOF) {
		t.Errorf("a peer of a closed switch reads %v; want EOF", err)
	}
	if _, err := a.port.ConnectPair(); !errors.Is(err, ErrClosed) {
		t.Errorf("ConnectPair after Close = %v; want ErrClosed", err)
	}
}

// pair returns two joined connections.
func pair(t testing.TB) (a, b net.Conn) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Cleanup(func() { conns[i].Close() })
	}
	return conns[0], conns[1]
}
