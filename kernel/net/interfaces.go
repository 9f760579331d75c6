package net

import (
	"net/netip"
	"sync/atomic"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"

	"nuos/kernel"
)

// The interfaces, as ioctl(2) tells of them on any socket of the Internet
// (netdevice(7)). Who changes them publishes here what handlers may ask for.

// netInterface is one of them, with Linux's name and index.
type netInterface struct {
	name    string
	index   uint32
	kind    uint16 // ARPHRD_...
	flags   uint16 // IFF_...
	present atomic.Bool
	mtu     atomic.Uint32
	mac     atomic.Uint64 // the first byte of the address is the highest of 6
	address atomic.Uint64 // of IPv4, above 8 bits with the length of the prefix
}

var interfaces = [...]netInterface{
	{name: "lo", index: uint32(loopbackNIC), kind: syscall.ARPHRD_LOOPBACK, flags: syscall.IFF_UP | syscall.IFF_RUNNING | syscall.IFF_LOOPBACK},
	{name: "eth0", index: uint32(portNIC), kind: syscall.ARPHRD_ETHER, flags: syscall.IFF_UP | syscall.IFF_RUNNING | syscall.IFF_BROADCAST | syscall.IFF_MULTICAST},
}

// publishInterface says what nic is like now. Goroutine context.
func publishInterface(nic tcpip.NICID, mac tcpip.LinkAddress, mtu uint32) {
	n := &interfaces[nic-1]
	v := uint64(0)
	for _, b := range []byte(mac) {
		v = v<<8 | uint64(b)
	}
	n.mac.Store(v)
	n.mtu.Store(mtu)
	n.present.Store(true)
}

// publishAddress says which address of IPv4 it has. Goroutine context.
func publishAddress(nic tcpip.NICID, p netip.Prefix) {
	if p.Addr().Is4() {
		a := addressOf(tcpip.FullAddress{Addr: tcpip.AddrFromSlice(p.Addr().AsSlice())}, false)
		interfaces[nic-1].address.Store(a.lo&0xffffffff<<8 | uint64(p.Bits()))
	}
}

// interfaceAt is the interface of an index, nil if there is none. Handler context, as
// all below.
func interfaceAt(index uint32) *netInterface {
	if index == 0 || int(index) > len(interfaces) || !interfaces[index-1].present.Load() {
		return nil
	}
	return &interfaces[index-1]
}

func interfaceNamed(name []byte) *netInterface {
	for k := range interfaces {
		if n := &interfaces[k]; string(name) == n.name && n.present.Load() {
			return n
		}
	}
	return nil
}

// ioctl(2) requests (linux/sockios.h).
const (
	siocgif        = 0x8900
	siocgifname    = 0x8910
	siocgifconf    = 0x8912
	siocgifflags   = 0x8913
	siocgifaddr    = 0x8915
	siocgifbrdaddr = 0x8919
	siocgifnetmask = 0x891b
	siocgifmetric  = 0x891d
	siocgifmtu     = 0x8921
	siocgifhwaddr  = 0x8927
	siocgifindex   = 0x8933
	siocgiftxqlen  = 0x8942
)

const ifreqSize = 40 // struct ifreq: a name, then what is asked for

// interfaceCall is ioctl on a socket for what interfaces are like.
func interfaceCall(request, arg uintptr) int {
	if request == siocgifconf {
		return listInterfaces(arg)
	}
	var b [ifreqSize]byte
	data := b[nameSize:]
	if !kernel.CopyIn(b[:], arg) {
		return fail(syscall.EFAULT)
	}
	var n *netInterface
	if request == siocgifname {
		n = interfaceAt(uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24)
	} else {
		b[nameSize-1] = 0
		n = interfaceNamed(upToZero((*[nameSize]byte)(b[:])))
	}
	known := false
	switch request {
	case siocgifname, siocgifflags, siocgifaddr, siocgifbrdaddr, siocgifnetmask, siocgifmetric, siocgifmtu, siocgifhwaddr, siocgifindex, siocgiftxqlen:
		known = true
	}
	switch {
	case !known:
		return fail(syscall.ENOTTY)
	case n == nil:
		return fail(syscall.ENODEV)
	}
	if e := n.describe(request, &b); e != 0 {
		return fail(e)
	}
	if !kernel.CopyOut(arg, b[:]) {
		return fail(syscall.EFAULT)
	}
	return 0
}

// describe answers one request in b, a struct ifreq.
func (n *netInterface) describe(request uintptr, b *[ifreqSize]byte) syscall.Errno {
	data := b[nameSize:]
	address := n.address.Load()
	ip, host := uint32(address>>8), uint32(1)<<(32-min(address&0xff, 32))-1
	if address&0xff == 0 {
		host = 1<<32 - 1
	}
	switch request {
	case siocgifname:
		clear(b[:nameSize])
		copy(b[:nameSize], n.name)
	case siocgifflags:
		data[0], data[1] = byte(n.flags), byte(n.flags>>8)
	case siocgifaddr:
		return putInterfaceAddress(data, address, ip)
	case siocgifbrdaddr:
		if n.flags&syscall.IFF_BROADCAST == 0 {
			return putInterfaceAddress(data, address, 0)
		}
		return putInterfaceAddress(data, address, ip|host)
	case siocgifnetmask:
		return putInterfaceAddress(data, address, ^host)
	case siocgifmetric:
		putUint32(data, 0)
	case siocgifmtu:
		putUint32(data, n.mtu.Load())
	case siocgifindex:
		putUint32(data, n.index)
	case siocgiftxqlen:
		putUint32(data, 1000)
	case siocgifhwaddr:
		clear(data[:16])
		data[0], data[1] = byte(n.kind), byte(n.kind>>8)
		putBigEndian(data[2:8], n.mac.Load()<<16)
	}
	return 0
}

// putInterfaceAddress fills in a struct sockaddr_in, if the interface has an address.
func putInterfaceAddress(data []byte, has uint64, ip uint32) syscall.Errno {
	if has == 0 {
		return syscall.EADDRNOTAVAIL
	}
	clear(data[:sockaddr4Size])
	data[0] = syscall.AF_INET
	putBigEndian(data[4:8], uint64(ip)<<32)
	return 0
}

// listInterfaces is SIOCGIFCONF: those with an address of IPv4, as many as there is room
// for. A struct ifconf is the size of the room and where it is, which may be nowhere.
func listInterfaces(arg uintptr) int {
	var b [16]byte
	if !kernel.CopyIn(b[:], arg) {
		return fail(syscall.EFAULT)
	}
	room, at := int32(uint32(longAt(b[:]))), longAt(b[8:])
	used := int32(0)
	for k := range interfaces {
		n := &interfaces[k]
		if !n.present.Load() || n.address.Load() == 0 {
			continue
		}
		if at != 0 {
			if room-used < ifreqSize {
				break
			}
			var r [ifreqSize]byte
			copy(r[:nameSize], n.name)
			n.describe(siocgifaddr, &r)
			if !kernel.CopyOut(at+uintptr(used), r[:]) {
				return fail(syscall.EFAULT)
			}
		}
		used += ifreqSize
	}
	if !putWord(arg, uint32(used)) {
		return fail(syscall.EFAULT)
	}
	return 0
}
