package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// patience is when a datagram that should be there is given up.
const patience = 10 * time.Second

// messages sends and receives datagrams with control messages, several in one call,
// through package golang.org/x/net as programs do.
func messages() {
	for _, address := range []string{"127.0.0.1", "::1"} {
		a, b := datagrams(address), datagrams(address)
		if address == "::1" {
			batches6(a, b)
		} else {
			batches4(a, b)
		}
		a.Close()
		b.Close()
	}
	controls()
	packets()
}

func datagrams(address string) *net.UDPConn {
	c := must(net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(address)}))
	c.SetReadDeadline(time.Now().Add(patience))
	return c
}

func batches4(a, b *net.UDPConn) {
	from, to := ipv4.NewPacketConn(a), ipv4.NewPacketConn(b)
	flags := ipv4.FlagTTL | ipv4.FlagDst | ipv4.FlagInterface
	say("SetControlMessage", nil, to.SetControlMessage(flags, true))
	send := batch(b.LocalAddr(), (&ipv4.ControlMessage{Src: net.IPv4(127, 0, 0, 1), IfIndex: 1}).Marshal())
	n, err := from.WriteBatch(send, 0)
	say("WriteBatch", n, err)
	receive(len(send), to.ReadBatch, func(oob []byte) string {
		var m ipv4.ControlMessage
		err := m.Parse(oob)
		return fmt.Sprint(m.String(), failure(err))
	}, a.LocalAddr())
}

func batches6(a, b *net.UDPConn) {
	from, to := ipv6.NewPacketConn(a), ipv6.NewPacketConn(b)
	flags := ipv6.FlagTrafficClass | ipv6.FlagHopLimit | ipv6.FlagDst | ipv6.FlagInterface
	say("SetControlMessage", nil, to.SetControlMessage(flags, true))
	send := batch(b.LocalAddr(), (&ipv6.ControlMessage{TrafficClass: 0x28, HopLimit: 7, Src: net.IPv6loopback, IfIndex: 1}).Marshal())
	n, err := from.WriteBatch(send, 0)
	say("WriteBatch", n, err)
	receive(len(send), to.ReadBatch, func(oob []byte) string {
		var m ipv6.ControlMessage
		err := m.Parse(oob)
		return fmt.Sprint(m.String(), failure(err))
	}, a.LocalAddr())
}

// batch is five datagrams, of which some have control messages.
func batch(to net.Addr, control []byte) (list []ipv4.Message) {
	for k := range 5 {
		text := strings.Repeat(string(rune('a'+k)), 7*k)
		m := ipv4.Message{Buffers: [][]byte{[]byte(text[:k]), []byte(text[k:])}, Addr: to}
		if k%2 == 1 {
			m.OOB = control
		}
		list = append(list, m)
	}
	return list
}

// receive receives n datagrams in batches, how many in each is a matter of time.
func receive(n int, read func([]ipv4.Message, int) (int, error), text func([]byte) string, from net.Addr) {
	for n > 0 {
		list := make([]ipv4.Message, 3)
		for k := range list {
			list[k] = ipv4.Message{Buffers: [][]byte{make([]byte, 10), make([]byte, 10)}, OOB: make([]byte, 128)}
		}
		got, err := read(list, 0)
		if err != nil {
			say("ReadBatch", got, err)
			return
		}
		for _, m := range list[:got] {
			fmt.Printf("message of %d: %q, flags %#x, from whom we expect %v, %s\n", m.N, slices.Concat(m.Buffers...), m.Flags,
				m.Addr.String() == from.String(), text(m.OOB[:m.NN]))
		}
		n -= got
	}
}

// mmsghdr is what sendmmsg and recvmmsg take an array of.
type mmsghdr struct {
	unix.Msghdr
	length uint32
}

// packets sends and receives several packets in one call through a pair of Unix-domain
// sockets: what is there, what comes while the call waits, nothing, and the end.
func packets() {
	fds := must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0))
	exchange := func(fd int, nr uintptr, flags uintptr, texts ...string) {
		list := make([]mmsghdr, len(texts))
		buffers := make([][]byte, len(texts))
		for k, text := range texts {
			buffers[k] = append([]byte(text), make([]byte, 8-len(text))...)
			list[k].Iov = &unix.Iovec{Base: &buffers[k][0], Len: uint64(len(text))}
			list[k].Iovlen = 1
		}
		n, _, e := unix.Syscall6(nr, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(list))), uintptr(len(list)), flags, 0, 0)
		call := fmt.Sprintf("call %d of %d messages, flags %#x", nr, len(list), flags)
		if e != 0 {
			say(call, "", e)
			return
		}
		for k := range list {
			call += fmt.Sprintf(" %d %q %#x", list[k].length, buffers[k], list[k].Flags)
		}
		say(call, n, nil)
	}
	exchange(fds[0], unix.SYS_SENDMMSG, 0, "one", "", "three")
	exchange(fds[1], unix.SYS_RECVMMSG, 0, "......", "......", "..")
	exchange(fds[1], unix.SYS_RECVMMSG, unix.MSG_DONTWAIT, "......")
	exchange(fds[1], unix.SYS_RECVMMSG, 0)
	go unix.Write(fds[0], []byte("late"))
	exchange(fds[1], unix.SYS_RECVMMSG, unix.MSG_WAITFORONE, "......", "......")
	unix.Close(fds[0])
	exchange(fds[1], unix.SYS_RECVMMSG, 0, "......", "......")
	exchange(fds[1], unix.SYS_SENDMMSG, unix.MSG_NOSIGNAL, "x", "y")
	unix.Close(fds[1])
	exchange(fds[1], unix.SYS_SENDMMSG, 0, "x")
	exchange(1, unix.SYS_SENDMMSG, 0, "x")
}

// controls sends and receives control messages that are right, wrong, and too long
// for the room there is.
func controls() {
	word := func(v int) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }
	info := func(index int, source ...byte) []byte { return slices.Concat(word(index), source, make([]byte, 4)) }
	for _, network := range []string{"udp4", "udp6", "udp"} {
		host := map[string]string{"udp4": "127.0.0.1", "udp6": "[::1]", "udp": ""}[network]
		a, b := must(net.ListenPacket(network, host+":0")).(*net.UDPConn), must(net.ListenPacket(network, host+":0")).(*net.UDPConn)
		to := *b.LocalAddr().(*net.UDPAddr)
		if host == "" {
			to.IP = net.IPv4(127, 0, 0, 1) // by a socket of IPv6
		}
		for _, o := range [][2]int{{unix.IPPROTO_IP, unix.IP_PKTINFO}, {unix.IPPROTO_IP, unix.IP_RECVTTL}, {unix.IPPROTO_IP, unix.IP_RECVTOS},
			{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO}, {unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT}, {unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS}} {
			option(b, network, o[0], o[1])
		}
		b.SetReadDeadline(time.Now().Add(patience))
		for _, c := range []struct {
			level, typ int
			data       []byte
		}{
			{unix.IPPROTO_IP, unix.IP_TTL, word(9)}, {unix.IPPROTO_IP, unix.IP_TTL, word(0)}, {unix.IPPROTO_IP, unix.IP_TTL, word(256)},
			{unix.IPPROTO_IP, unix.IP_TTL, []byte{9}}, {unix.IPPROTO_IP, unix.IP_TOS, word(0xb8)}, {unix.IPPROTO_IP, unix.IP_TOS, []byte{2}},
			{unix.IPPROTO_IP, unix.IP_TOS, word(-1)}, {unix.IPPROTO_IP, unix.IP_PKTINFO, info(0, 127, 0, 0, 1)},
			{unix.IPPROTO_IP, unix.IP_PKTINFO, info(1, 0, 0, 0, 0)}, {unix.IPPROTO_IP, unix.IP_PKTINFO, word(1)}, {unix.IPPROTO_IP, 99, word(1)},
			{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, word(9)}, {unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, word(-1)},
			{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, word(256)}, {unix.IPPROTO_IPV6, unix.IPV6_TCLASS, word(3)}, {unix.IPPROTO_IPV6, 99, word(1)},
			{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, word(1)}, {unix.SOL_SOCKET, 99, word(1)}, {unix.SOL_SOCKET, unix.SCM_RIGHTS, nil},
			{unix.IPPROTO_TCP, 1, word(1)}, {unix.IPPROTO_UDP, 99, word(1)},
		} {
			oob := make([]byte, unix.CmsgSpace(len(c.data)))
			h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
			h.Level, h.Type = int32(c.level), int32(c.typ)
			h.SetLen(unix.CmsgLen(len(c.data)))
			copy(oob[unix.CmsgLen(0):], c.data)
			call := fmt.Sprintf("%s: sending control message %d of level %d with % x", network, c.typ, c.level, c.data)
			n, used, err := a.WriteMsgUDP([]byte("text"), oob, &to)
			say(call, fmt.Sprint(n, used), cause(err))
			if err == nil {
				message(b, 200)
			}
		}
		for room := 0; room < 100; room += 12 {
			must(a.WriteTo([]byte("text"), &to))
			message(b, room)
		}
		connected(network, &to, b)
		a.Close()
		b.Close()
	}
}

// connected sends with and without control messages to the one peer of a socket.
func connected(network string, to *net.UDPAddr, b *net.UDPConn) {
	c := must(net.DialUDP(network, nil, to))
	defer c.Close()
	var oob []byte
	if to.IP.To4() == nil {
		oob = (&ipv6.ControlMessage{TrafficClass: 4, HopLimit: 3, Src: net.IPv6loopback, IfIndex: 1}).Marshal()
	} else {
		oob = (&ipv4.ControlMessage{Src: net.IPv4(127, 0, 0, 1)}).Marshal()
	}
	for _, control := range [][]byte{nil, oob, nil} {
		n, used, err := c.WriteMsgUDP([]byte("to the peer"), control, nil)
		say(fmt.Sprintf("%s: sending % x to the peer", network, control), fmt.Sprint(n, used), cause(err))
		message(b, 200)
	}
}

// cause is what the system answered, without package net's words.
func cause(err error) error {
	if e := unix.Errno(0); errors.As(err, &e) {
		return e
	}
	return err
}

func option(c *net.UDPConn, network string, level, name int) {
	must(c.SyscallConn()).Control(func(fd uintptr) {
		err := unix.SetsockoptInt(int(fd), level, name, 5)
		v, err2 := unix.GetsockoptInt(int(fd), level, name)
		say(fmt.Sprintf("%s: option %d of level %d", network, name, level), fmt.Sprint(v, failure(err2)), err)
	})
}

// message receives one with room for control messages.
func message(c *net.UDPConn, room int) {
	b, oob := make([]byte, 100), make([]byte, room)
	n, used, flags, _, err := c.ReadMsgUDP(b, oob)
	say(fmt.Sprintf("receiving with %d bytes for control messages", room), fmt.Sprintf("%q, flags %#x, % x", b[:n], flags, oob[:used]), cause(err))
}
