//go:build !metal

package net

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"nuos/drivers/nic/nictest"
)

func bound(t *testing.T, a address) (fd, address) {
	t.Helper()
	f, err := newSocket(syscall.SOCK_DGRAM)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.bind(a); err != nil {
		t.Fatal(err)
	}
	if a, err = f.name(syscall.SYS_GETSOCKNAME); err != nil || a.port == 0 {
		t.Fatalf("getsockname = %v, %v", a, err)
	}
	return f, a
}

// TestDatagrams exchanges datagrams of many sizes with the other stack.
func TestDatagrams(t *testing.T) {
	_, peer := network(t, nictest.Options{MTU: 1500})
	f, _ := bound(t, addr(self, 53))
	local, remote := full(other, 5000), full(self, 53)
	c, err := gonet.DialUDP(peer, &local, &remote, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make([]byte, 1<<16)
	for _, size := range []int{0, 1, 2, 3, 4, 1472, 1473, 9000, 40000, maxDatagram} {
		want := make([]byte, size)
		pattern(want, size)
		if _, err := c.Write(want); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		n, from, err := f.receiveFrom(got)
		if err != nil || from != addr(other, 5000) || !bytes.Equal(got[:n], want) {
			t.Fatalf("%d bytes: got %d from %#x, %v", size, n, from, err)
		}
		if err := f.sendTo(want, from); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], want) {
			t.Fatalf("%d bytes: got %d, %v", size, n, err)
		}
	}
	if err := f.sendTo(make([]byte, maxDatagram+1), addr(other, 5000)); err != syscall.EMSGSIZE {
		t.Errorf("sending %d bytes: %v; want EMSGSIZE", maxDatagram+1, err)
	}
	f.Close()
	settle(t)
}

// TestConnectedDatagrams checks what connect does to a datagram socket.
func TestConnectedDatagrams(t *testing.T) {
	s, a := bound(t, addr(loopbackNet, 0))
	c, err := newSocket(syscall.SOCK_DGRAM)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.tryWrite([]byte("x")); err != syscall.EDESTADDRREQ {
		t.Errorf("write before connect: %v; want EDESTADDRREQ", err)
	}
	if err := c.connect(a); err != nil {
		t.Fatal(err)
	}
	if p, err := c.name(syscall.SYS_GETPEERNAME); err != nil || p != a {
		t.Errorf("getpeername = %#x, %v; want %#x", p, err, a)
	}
	if _, err := c.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4) // too short: the rest is lost
	n, from, err := s.receiveFrom(b)
	if err != nil || string(b[:n]) != "ques" {
		t.Fatalf("received %q, %v", b[:n], err)
	}
	if me, _ := c.name(syscall.SYS_GETSOCKNAME); me != from {
		t.Errorf("the datagram came from %#x, getsockname says %#x", from, me)
	}
	stranger, _ := bound(t, addr(loopbackNet, 0))
	if err := stranger.sendTo([]byte("not for you"), from); err != nil {
		t.Fatal(err)
	}
	if err := s.sendTo([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	b = make([]byte, 100)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "answer" {
		t.Errorf("received %q, %v; want answer", b[:n], err)
	}
	// Nobody listens there any more: ICMP says so.
	s.Close()
	for {
		if _, err := c.retry(writable, func() (int, error) { return c.tryWrite([]byte("anyone?")) }); err != nil {
			if err != syscall.ECONNREFUSED {
				t.Errorf("write: %v; want ECONNREFUSED", err)
			}
			break
		}
	}
	c.Close()
	stranger.Close()
	settle(t)
}

// TestDatagramFlood sends more than the rings hold to a socket that nobody
// reads: what fits is kept whole and in order, the rest is dropped, the sender
// never stands still.
func TestDatagramFlood(t *testing.T) {
	s, a := bound(t, addr(loopbackNet, 0))
	c, _ := bound(t, addr(loopbackNet, 0))
	const count, size = 2000, 1000
	for i := range count {
		b := make([]byte, size)
		pattern(b, i)
		binary.BigEndian.PutUint32(b, uint32(i))
		if err := c.sendTo(b, a); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.sendTo([]byte("done"), a); err != nil { // may be dropped, as any
		t.Fatal(err)
	}
	for sockets[c].tx.used() > 0 || !sockets[s].rxFull.Load() {
		runtime.Gosched() // until all is sent and the receiving ring is full
	}
	got := make([]byte, 2*size)
	last, n := -1, 0
	for want := make([]byte, size); ; n++ {
		m, err := try(syscall.SYS_READ, s, bytesAt(got), uintptr(len(got)))
		if err == syscall.EAGAIN {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if string(got[:m]) == "done" {
			continue
		}
		i := int(binary.BigEndian.Uint32(got))
		pattern(want, i)
		if i <= last || m != size || !bytes.Equal(got[4:m], want[4:]) {
			t.Fatalf("datagram %d of %d bytes after %d", i, m, last)
		}
		last = i
	}
	if least := datagramRing / (&record{size: size, remote: a}).total(); n < int(least) {
		t.Errorf("%d datagrams were kept; want at least %d", n, least)
	}
	t.Logf("%d of %d kept", n, count)
	s.Close()
	c.Close()
	settle(t)
}

// TestRecords puts records into a ring and takes them out again, across its end.
func TestRecords(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	base, ok := datagramBlocks.take()
	if !ok {
		t.Fatal("no memory")
	}
	defer datagramBlocks.give(base)
	var q ring
	q.attach(base, datagramRing)
	for range 10000 {
		want := record{size: random.Uint32N(maxDatagram + 1), tos: uint8(random.Uint32()), ttl: uint8(random.Uint32()),
			hasTOS: random.IntN(2) == 0, hasTTL: random.IntN(2) == 0}
		want.remote = address{lo: mapped | uint64(random.Uint32())}
		want.local = address{lo: mapped | uint64(random.Uint32())}
		want.answers = random.Uint32()
		if random.IntN(2) == 0 {
			want.remote = address{hi: random.Uint64(), lo: random.Uint64()}
			want.local = address{hi: random.Uint64(), lo: random.Uint64()}
			want.answers = 0
		}
		want.remote.port, want.remote.zone, want.local.zone = uint16(random.Uint32()), uint16(random.Uint32()), uint16(random.Uint32())
		pos := random.Uint32()
		q.putRecord(pos, &want)
		if got := q.record(pos); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	for _, test := range []struct {
		remote address
		most   uint32
	}{{toPeer, maxDatagram}, {address{lo: 1}, maxDatagram6}} {
		if !(&record{remote: test.remote, size: test.most}).fits() || (&record{remote: test.remote, size: test.most + 1}).fits() {
			t.Errorf("datagrams of %#x have not at most %d bytes", test.remote, test.most)
		}
	}
}

// TestSource chooses the address that a datagram comes from: the one it would come
// from anyhow is accepted, and of others the next send tells.
func TestSource(t *testing.T) {
	s, a := bound(t, addr(loopbackNet, 0))
	c, _ := bound(t, from4(0, 0, 0, 0, 0))
	send := func(source byte) error {
		control := []byte{28, 8: syscall.IPPROTO_IP, 12: syscall.IP_PKTINFO, 20: 127, 23: source, 31: 0}
		sa, size := sockets[c].sockaddr(a)
		data := []byte{source}
		var vec [16]byte
		binary.LittleEndian.PutUint64(vec[0:], uint64(bytesAt(data)))
		binary.LittleEndian.PutUint64(vec[8:], 1)
		var h [msghdrSize]byte
		binary.LittleEndian.PutUint64(h[0:], uint64(at(&sa)))
		binary.LittleEndian.PutUint32(h[8:], size)
		binary.LittleEndian.PutUint64(h[16:], uint64(at(&vec)))
		binary.LittleEndian.PutUint64(h[24:], 1)
		binary.LittleEndian.PutUint64(h[32:], uint64(bytesAt(control)))
		binary.LittleEndian.PutUint64(h[msghdrControl:], uint64(len(control)))
		_, err := c.retry(writable, func() (int, error) { return try(syscall.SYS_SENDMSG, c, at(&h), 0) })
		return err
	}
	if err := send(2); err != nil { // and it is the next send that fails
		t.Fatal(err)
	}
	for sockets[c].sendErr.Load() == 0 {
		runtime.Gosched()
	}
	if err := send(1); err != syscall.EADDRNOTAVAIL {
		t.Errorf("after a datagram from 127.0.0.2: %v; want EADDRNOTAVAIL", err)
	}
	if err := send(1); err != nil {
		t.Errorf("from 127.0.0.1: %v", err)
	}
	b := make([]byte, 10)
	if n, _, err := s.receiveFrom(b); err != nil || n != 1 || b[0] != 1 {
		t.Errorf("received % x, %v", b[:n], err)
	}
	s.Close()
	c.Close()
	settle(t)
}

// TestMessages uses recvmsg and sendmsg, with several pieces.
func TestMessages(t *testing.T) {
	s, a := bound(t, addr(loopbackNet, 0))
	c, from := bound(t, addr(loopbackNet, 0))
	for _, parts := range [][]string{{"abc"}, {"a", "", "bcd", "e"}, {""}, {}} {
		whole := ""
		vec := make([]byte, 16*len(parts)+1)
		for i, p := range parts {
			binary.LittleEndian.PutUint64(vec[16*i:], uint64(bytesAt([]byte(p))))
			binary.LittleEndian.PutUint64(vec[16*i+8:], uint64(len(p)))
			whole += p
		}
		sa, _ := sockets[c].sockaddr(a)
		var h [msghdrSize]byte
		binary.LittleEndian.PutUint64(h[0:], uint64(at(&sa)))
		binary.LittleEndian.PutUint32(h[8:], sockaddr4Size)
		binary.LittleEndian.PutUint64(h[16:], uint64(bytesAt(vec)))
		binary.LittleEndian.PutUint64(h[24:], uint64(len(parts)))
		if n, err := try(syscall.SYS_SENDMSG, c, at(&h), 0); err != nil || n != len(whole) {
			t.Fatalf("sendmsg %q = %d, %v", parts, n, err)
		}

		one, two := make([]byte, 2), make([]byte, 2)
		into := make([]byte, 32)
		for i, b := range [][]byte{one, two} {
			binary.LittleEndian.PutUint64(into[16*i:], uint64(bytesAt(b)))
			binary.LittleEndian.PutUint64(into[16*i+8:], uint64(len(b)))
		}
		var src [sockaddr4Size]byte
		var r [msghdrSize]byte
		binary.LittleEndian.PutUint64(r[0:], uint64(at(&src)))
		binary.LittleEndian.PutUint32(r[8:], sockaddr4Size)
		binary.LittleEndian.PutUint64(r[16:], uint64(bytesAt(into)))
		binary.LittleEndian.PutUint64(r[24:], 2)
		n, err := s.retry(readable, func() (int, error) { return try(syscall.SYS_RECVMSG, s, at(&r), 0) })
		if err != nil {
			t.Fatal(err)
		}
		got, sender := (string(one) + string(two))[:n], fmt.Sprint(src[:8])
		want, _ := sockets[c].sockaddr(from)
		truncated := binary.LittleEndian.Uint32(r[msghdrFlags:])&syscall.MSG_TRUNC != 0
		if got != whole[:min(4, len(whole))] || sender != fmt.Sprint(want[:8]) || truncated != (len(whole) > 4) {
			t.Errorf("recvmsg of %q = %q from %s, truncated %v", parts, got, sender, truncated)
		}
	}
	s.Close()
	c.Close()
	settle(t)
}
