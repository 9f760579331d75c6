package net

import (
	"encoding/binary"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"nuos/kernel"
)

// Answers to netlink requests, in the messages of rtnetlink(7). Goroutine context.

// interfaceNames are Linux's for what the stack has.
var interfaceNames = map[tcpip.NICID]string{loopbackNIC: "lo", portNIC: "eth0"}

// answerRoute writes the answer to a request into the receiving ring and returns
// what the send that made the request returns.
func (e *end) answerRoute() int {
	s := e.s
	if !e.attach() {
		return fail(syscall.ENOBUFS)
	}
	s.state.CompareAndSwap(stateOpen, stateReady)
	d := dump{seq: uint32(s.req.arg >> 16), port: uint32(s.local.load().port)}
	nics := internet.NICInfo()
	for _, id := range []tcpip.NICID{loopbackNIC, portNIC} {
		nic, there := nics[id]
		switch {
		case !there:
		case uint16(s.req.arg) == syscall.RTM_GETLINK:
			d.link(id, nic)
		default:
			d.addresses(id, nic)
		}
	}
	d.finish()
	for _, datagram := range [][]byte{d.messages, d.end} {
		r := record{size: uint32(len(datagram))}
		if r.size == 0 {
			continue
		}
		if s.rx.free() < r.total() {
			return fail(syscall.ENOBUFS)
		}
		tail := s.rx.tail.Load()
		s.rx.put(tail+r.header(), datagram)
		s.rx.putRecord(tail, &r)
		s.rx.tail.Store(tail + r.total())
	}
	s.wantIn.Store(false)
	kernel.SetReady(e.i, epollIn)
	return int(s.req.arg >> 48)
}

// dump puts messages together. All there are fit the buffers of any reader.
type dump struct {
	seq, port     uint32
	messages, end []byte
}

func (d *dump) header(b []byte, kind uint16) {
	binary.LittleEndian.PutUint32(b[0:], uint32(len(b)))
	binary.LittleEndian.PutUint16(b[4:], kind)
	binary.LittleEndian.PutUint16(b[6:], syscall.NLM_F_MULTI)
	binary.LittleEndian.PutUint32(b[8:], d.seq)
	binary.LittleEndian.PutUint32(b[12:], d.port)
}

func (d *dump) add(kind uint16, body []byte) {
	b := append(make([]byte, syscall.SizeofNlMsghdr), body...)
	d.header(b, kind)
	d.messages = append(d.messages, b...)
}

// finish is the message that says that there are no more.
func (d *dump) finish() {
	d.end = make([]byte, syscall.SizeofNlMsghdr+4)
	d.header(d.end, syscall.NLMSG_DONE)
}

// attribute appends a struct rtattr and its data, padded to 4 bytes.
func attribute(b []byte, kind uint16, data []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(syscall.SizeofRtAttr+len(data)))
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// link adds a struct ifinfomsg.
func (d *dump) link(id tcpip.NICID, nic stack.NICInfo) {
	const lowerUp = 1 << 16
	kind, flags := uint16(syscall.ARPHRD_ETHER), uint32(syscall.IFF_UP|syscall.IFF_RUNNING|syscall.IFF_BROADCAST|syscall.IFF_MULTICAST|lowerUp)
	if nic.Flags.Loopback {
		kind, flags = syscall.ARPHRD_LOOPBACK, syscall.IFF_UP|syscall.IFF_RUNNING|syscall.IFF_LOOPBACK|lowerUp
	}
	b := make([]byte, syscall.SizeofIfInfomsg)
	binary.LittleEndian.PutUint16(b[2:], kind)
	binary.LittleEndian.PutUint32(b[4:], uint32(id))
	binary.LittleEndian.PutUint32(b[8:], flags)
	b = attribute(b, syscall.IFLA_IFNAME, append([]byte(interfaceNames[id]), 0))
	b = attribute(b, syscall.IFLA_MTU, binary.LittleEndian.AppendUint32(nil, nic.MTU))
	mac := make([]byte, header.EthernetAddressSize)
	copy(mac, nic.LinkAddress)
	b = attribute(b, syscall.IFLA_ADDRESS, mac)
	d.add(syscall.RTM_NEWLINK, b)
}

// addresses adds a struct ifaddrmsg for each address of an interface.
func (d *dump) addresses(id tcpip.NICID, nic stack.NICInfo) {
	for _, a := range nic.ProtocolAddresses {
		ip := a.AddressWithPrefix.Address
		family, scope := byte(syscall.AF_INET), byte(syscall.RT_SCOPE_UNIVERSE)
		if ip.Len() == 16 {
			family = syscall.AF_INET6
		}
		switch {
		case nic.Flags.Loopback:
			scope = syscall.RT_SCOPE_HOST
		case header.IsV6LinkLocalUnicastAddress(ip):
			scope = syscall.RT_SCOPE_LINK
		}
		b := make([]byte, syscall.SizeofIfAddrmsg)
		b[0], b[1], b[2], b[3] = family, byte(a.AddressWithPrefix.PrefixLen), syscall.IFA_F_PERMANENT, scope
		binary.LittleEndian.PutUint32(b[4:], uint32(id))
		b = attribute(b, syscall.IFA_ADDRESS, ip.AsSlice())
		if family == syscall.AF_INET {
			b = attribute(b, syscall.IFA_LOCAL, ip.AsSlice())
			b = attribute(b, syscall.IFA_LABEL, append([]byte(interfaceNames[id]), 0))
		}
		d.add(syscall.RTM_NEWADDR, b)
	}
}
