//go:build !metal

package net

import (
	"encoding/binary"
	"fmt"
	"io"
	"syscall"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"nuos/drivers/nic/nictest"

	"nuos/kernel"
)

func newSocket6(t *testing.T, typ uintptr) fd {
	t.Helper()
	n := kernel.Invoke(syscall.SYS_SOCKET, -1, true, syscall.AF_INET6, typ|syscall.SOCK_NONBLOCK, 0)
	if n < 0 {
		t.Fatal(syscall.Errno(-n))
	}
	return fd(n)
}

var (
	any6      = address{}
	loopback6 = address{lo: 1}
	loopback4 = from4(127, 0, 0, 1, 0)
)

func (a address) at(port uint16) address {
	a.port = port
	return a
}

// TestDualStack connects to listeners of IPv6 from sockets of both families.
func TestDualStack(t *testing.T) {
	for _, test := range []struct {
		name   string
		bind   address
		v6Only bool
		from6  bool
		to     address
		peer   address // as the listener sees it; its own name is to
		err    error
	}{
		{name: "::1", bind: loopback6, from6: true, to: loopback6, peer: loopback6},
		{name: ":: from ::1", bind: any6, from6: true, to: loopback6, peer: loopback6},
		{name: ":: from ::", bind: any6, from6: true, to: any6, peer: loopback6},
		{name: ":: from 127.0.0.1", bind: any6, to: loopback4, peer: loopback4},
		{name: ":: from ::ffff:127.0.0.1", bind: any6, from6: true, to: loopback4, peer: loopback4},
		{name: ":: only from ::1", bind: any6, v6Only: true, from6: true, to: loopback6, peer: loopback6},
		{name: ":: only from 127.0.0.1", bind: any6, v6Only: true, to: loopback4, err: syscall.ECONNREFUSED},
		{name: "::ffff:127.0.0.1 from 127.0.0.1", bind: loopback4, to: loopback4, peer: loopback4},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newSocket6(t, syscall.SOCK_STREAM)
			only := 0
			if test.v6Only {
				only = 1
			}
			if err := l.setOption(syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only); err != nil {
				t.Fatal(err)
			}
			if err := l.bind(test.bind); err != nil {
				t.Fatal(err)
			}
			if err := l.listen(4); err != nil {
				t.Fatal(err)
			}
			name, err := l.name(syscall.SYS_GETSOCKNAME)
			if err != nil || name.at(0) != test.bind {
				t.Fatalf("the listener's name is %v, %v", name, err)
			}
			dial := dialTo
			if test.from6 {
				dial = func(a address) (fd, error) { return dialOn(newSocket6(t, syscall.SOCK_STREAM), a) }
			}
			c, err := dial(test.to.at(name.port))
			if err != test.err {
				t.Fatalf("connect: %v, want %v", err, test.err)
			}
			if err == nil {
				own, err := c.name(syscall.SYS_GETSOCKNAME)
				if err != nil {
					t.Fatal(err)
				}
				s, from, err := l.accept()
				if err != nil || from != test.peer.at(own.port) || own != from {
					t.Errorf("accept from %v: %v, want %v; the client says %v", from, err, test.peer, own)
				}
				go func() {
					fill(s, 100_000, 7000)
					s.CloseWrite()
				}()
				if err := check(c, 100_000); err != nil {
					t.Error(err)
				}
				c.Close()
				s.Close()
			}
			l.Close()
			settle(t)
		})
	}
}

// TestDatagrams6 exchanges datagrams between the families.
func TestDatagrams6(t *testing.T) {
	s := newSocket6(t, syscall.SOCK_DGRAM)
	if err := s.bind(any6); err != nil {
		t.Fatal(err)
	}
	name, err := s.name(syscall.SYS_GETSOCKNAME)
	if err != nil {
		t.Fatal(err)
	}
	c6 := newSocket6(t, syscall.SOCK_DGRAM)
	c4, err := newSocket(syscall.SOCK_DGRAM)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		c        fd
		to, from address
	}{{c6, loopback6, loopback6}, {c4, loopback4, loopback4}, {c6, loopback4, loopback4}, {c6, any6, loopback6}} {
		want := fmt.Sprint("to ", test.to)
		if err := test.c.sendTo([]byte(want), test.to.at(name.port)); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		var b [100]byte
		n, from, err := s.receiveFrom(b[:])
		if err != nil || string(b[:n]) != want || from.at(0) != test.from {
			t.Fatalf("%q from %v: %v, want %q from %v", b[:n], from, err, want, test.from)
		}
		if err := s.sendTo(b[:n], from); err != nil {
			t.Fatal(err)
		}
		if n, _, err = test.c.receiveFrom(b[:]); err != nil || string(b[:n]) != want {
			t.Fatalf("the answer is %q: %v", b[:n], err)
		}
	}
	for _, f := range []fd{s, c6, c4} {
		f.Close()
	}
	settle(t)
}

// TestRoute asks for interfaces and addresses and reads the answers as package
// syscall does.
func TestRoute(t *testing.T) {
	for _, test := range []struct {
		ask, answer uint16
		want        int
	}{{syscall.RTM_GETLINK, syscall.RTM_NEWLINK, 1}, {syscall.RTM_GETADDR, syscall.RTM_NEWADDR, 2}} {
		n := kernel.Invoke(syscall.SYS_SOCKET, -1, false, syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
		if n < 0 {
			t.Fatal(syscall.Errno(-n))
		}
		f := fd(n)
		local := [syscall.SizeofSockaddrNetlink]byte{syscall.AF_NETLINK}
		if _, err := try(syscall.SYS_BIND, f, at(&local), uintptr(len(local))); err != nil {
			t.Fatal(err)
		}
		size := uint32(len(local))
		if _, err := try(syscall.SYS_GETSOCKNAME, f, at(&local), at(&size)); err != nil || size != uint32(len(local)) {
			t.Fatal(size, err)
		}
		pid := binary.LittleEndian.Uint32(local[4:])
		request := make([]byte, syscall.SizeofNlMsghdr+4)
		binary.LittleEndian.PutUint32(request[0:], uint32(len(request)))
		binary.LittleEndian.PutUint16(request[4:], test.ask)
		binary.LittleEndian.PutUint16(request[6:], syscall.NLM_F_DUMP|syscall.NLM_F_REQUEST)
		binary.LittleEndian.PutUint32(request[8:], 77)
		if n, err := try(syscall.SYS_SENDTO, f, bytesAt(request), uintptr(len(request)), 0, 0, 0); err != nil || n != len(request) {
			t.Fatal(n, err)
		}
		got := 0
		for over := false; !over; {
			var b [4096]byte
			n, err := try(syscall.SYS_RECVFROM, f, at(&b), uintptr(len(b)), 0, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			messages, err := syscall.ParseNetlinkMessage(b[:n])
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				if m.Header.Seq != 77 || m.Header.Pid != pid {
					t.Errorf("message %+v, want number 77 for %d", m.Header, pid)
				}
				switch m.Header.Type {
				case syscall.NLMSG_DONE:
					over = true
				case test.answer:
					got++
					if _, err := syscall.ParseNetlinkRouteAttr(&m); err != nil {
						t.Error(err)
					}
				default:
					t.Errorf("a message of type %d", m.Header.Type)
				}
			}
		}
		if got < test.want {
			t.Errorf("%d answers of type %d, want %d", got, test.answer, test.want)
		}
		f.Close()
	}
	settle(t)
}

// TestLinkLocal connects to another machine, and it to this one, by the addresses that
// their interfaces have given themselves.
func TestLinkLocal(t *testing.T) {
	_, peer := network(t, nictest.Options{})
	macs := map[*stack.Stack]tcpip.FullAddress{}
	for _, s := range []*stack.Stack{internet, peer} {
		mac := s.NICInfo()[portNIC].LinkAddress
		macs[s] = tcpip.FullAddress{NIC: portNIC, Addr: header.LinkLocalAddr(mac), Port: 77}
	}
	pl, err := gonet.ListenTCP(peer, macs[peer], ipv6.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer pl.Close()
	f := newSocket6(t, syscall.SOCK_STREAM)
	c, err := dialOn(f, addressOf(macs[peer], true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("out")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := io.ReadFull(p, b); err != nil || string(b) != "out" {
		t.Errorf("the peer read %q, %v", b, err)
	}
	if got, _ := c.name(syscall.SYS_GETSOCKNAME); got.zone != uint16(portNIC) || got.hi>>48 != 0xfe80 {
		t.Errorf("own address %+v", got)
	}
	p.Close()
	c.Close()

	l := newSocket6(t, syscall.SOCK_STREAM)
	if err := l.bind(any6.at(78)); err != nil {
		t.Fatal(err)
	}
	if err := l.listen(1); err != nil {
		t.Fatal(err)
	}
	to := macs[internet]
	to.Port = 78
	in, err := gonet.DialTCP(peer, to, ipv6.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	a, from, err := l.accept()
	if err != nil {
		t.Fatal(err)
	}
	if want := addressOf(macs[peer], true); from.hi != want.hi || from.lo != want.lo || from.zone != uint16(portNIC) {
		t.Errorf("from %+v, want %+v", from, want)
	}
	in.Close()
	a.Close()
	l.Close()
	settle(t)
}
