package main

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// raws makes sockets of whole packets, and sends echo requests to the machine itself
// through them.
func raws() {
	for _, domain := range []int{unix.AF_INET, unix.AF_INET6} {
		for _, protocol := range []int{0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6, unix.IPPROTO_GRE, unix.IPPROTO_RAW, 256, 1000} {
			if domain == unix.AF_INET && protocol == unix.IPPROTO_ICMPV6 || domain == unix.AF_INET6 && protocol == unix.IPPROTO_ICMP || protocol == 256 {
				continue // Linux lets everybody have those, which are of no use
			}
			fd, err := unix.Socket(domain, unix.SOCK_RAW, protocol)
			say(fmt.Sprintf("socket %d, raw, %d", domain, protocol), fd >= 0, err)
			if err != nil {
				continue
			}
			for _, name := range []int{unix.SO_TYPE, unix.SO_PROTOCOL, unix.SO_DOMAIN} {
				v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, name)
				say(fmt.Sprint("  option ", name), v, err)
			}
			v, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_HDRINCL)
			if domain == unix.AF_INET {
				say("  IP_HDRINCL", v, err)
			}
			self, err := unix.Getsockname(fd)
			say("  getsockname", fmt.Sprint(self), err)
			_, err = unix.Getpeername(fd)
			say("  getpeername", "", err)
			say("  listen", "", unix.Listen(fd, 1))
			unix.Close(fd)
		}
	}
	echoes(unix.AF_INET, unix.IPPROTO_ICMP, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, 8, 0)
	echoes(unix.AF_INET6, unix.IPPROTO_ICMPV6, &unix.SockaddrInet6{Addr: [16]byte{15: 1}}, 128, 129)
}

// echoes sends echo requests and prints what comes: the requests, as they are to the
// machine itself, and their answers.
func echoes(domain, protocol int, to unix.Sockaddr, request, answer byte) {
	fd := must(unix.Socket(domain, unix.SOCK_RAW, protocol))
	patience := unix.Timeval{Sec: 10}
	must(0, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience))
	receive := func() {
		b := make([]byte, 200)
		n, from, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			say("recvfrom", n, err)
			return
		}
		b = b[:n]
		head := ""
		if domain == unix.AF_INET {
			head = fmt.Sprintf("% x..., ttl %d, % x, ", b[:4], b[8], b[12:20])
			b = b[20:]
		}
		if domain == unix.AF_INET6 {
			b[2], b[3] = 0, 0 // the sum depends on nothing we set
		}
		say("recvfrom", fmt.Sprintf("%d bytes from %v: %s% x", n, from, head, b), nil)
	}
	for sequence := range byte(3) {
		b := []byte{request, 0, 0, 0, 0x12, 0x34, 0, sequence, 'd', 'a', 't', 'a'}
		binary.BigEndian.PutUint16(b[2:], sum(b))
		say("sendto", "", unix.Sendto(fd, b, 0, to))
		receive()
		receive()
	}
	// Answers alone.
	filter := make([]byte, 32)
	level, name, size := 255, 1, 4
	if domain == unix.AF_INET6 {
		level, size = unix.IPPROTO_ICMPV6, 32
	}
	for i := range filter {
		filter[i] = 0xff
	}
	filter[answer/8] &^= 1 << (answer % 8)
	say("setsockopt of a filter", "", unix.SetsockoptString(fd, level, name, string(filter[:size])))
	say("bind", "", unix.Bind(fd, to))
	self, err := unix.Getsockname(fd)
	say("getsockname", fmt.Sprint(self), err)
	say("connect", "", unix.Connect(fd, to))
	b := []byte{request, 0, 0, 0, 0x12, 0x34, 0, 7, 'e', 'n', 'd'}
	binary.BigEndian.PutUint16(b[2:], sum(b))
	n, err := unix.Write(fd, b)
	say("write", n, err)
	receive()
	unix.Close(fd)
}

// sum is the Internet checksum (RFC 1071).
func sum(b []byte) uint16 {
	v := uint32(0)
	for i, x := range b {
		v += uint32(x) << (8 * (1 - i%2))
	}
	for v>>16 != 0 {
		v = v&0xffff + v>>16
	}
	return ^uint16(v)
}
