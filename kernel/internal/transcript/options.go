package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// intOptions are those of sockets that are integers, and do not differ from machine to
// machine.
var intOptions = []struct {
	name          string
	level, option int
}{
	{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR},
	{"SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT},
	{"SO_BROADCAST", unix.SOL_SOCKET, unix.SO_BROADCAST},
	{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY},
	{"SO_MARK", unix.SOL_SOCKET, unix.SO_MARK},
	{"SO_BUSY_POLL", unix.SOL_SOCKET, unix.SO_BUSY_POLL},
	{"SO_NO_CHECK", unix.SOL_SOCKET, unix.SO_NO_CHECK},
	{"SO_TYPE", unix.SOL_SOCKET, unix.SO_TYPE},
	{"SO_DOMAIN", unix.SOL_SOCKET, unix.SO_DOMAIN},
	{"SO_PROTOCOL", unix.SOL_SOCKET, unix.SO_PROTOCOL},
	{"SO_ERROR", unix.SOL_SOCKET, unix.SO_ERROR},
	{"SO_ACCEPTCONN", unix.SOL_SOCKET, unix.SO_ACCEPTCONN},
	{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY},
	{"TCP_CORK", unix.IPPROTO_TCP, unix.TCP_CORK},
	{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	{"TCP_SYNCNT", unix.IPPROTO_TCP, unix.TCP_SYNCNT},
	{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	{"TCP_FASTOPEN", unix.IPPROTO_TCP, unix.TCP_FASTOPEN},
	{"TCP_DEFER_ACCEPT", unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT},
	{"TCP_LINGER2", unix.IPPROTO_TCP, unix.TCP_LINGER2},
	{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT},
	{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS},
	{"IP_TTL", unix.IPPROTO_IP, unix.IP_TTL},
	{"IP_HDRINCL", unix.IPPROTO_IP, unix.IP_HDRINCL},
	{"IP_MTU_DISCOVER", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER},
	{"IP_BIND_ADDRESS_NO_PORT", unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT},
	{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY},
	{"IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS},
	{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS},
	{"IPV6_MTU_DISCOVER", unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER},
	{"IPV6_RECVPATHMTU", unix.IPPROTO_IPV6, unix.IPV6_RECVPATHMTU},
	{"IPV6_DONTFRAG", unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG},
}

// datagramOptions are not for streams, though Linux lets these have some.
var datagramOptions = []struct {
	name          string
	level, option int
}{
	{"IP_MULTICAST_TTL", unix.IPPROTO_IP, unix.IP_MULTICAST_TTL},
	{"IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP},
	{"IP_MULTICAST_IF", unix.IPPROTO_IP, unix.IP_MULTICAST_IF},
	{"IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS},
	{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP},
	{"IPV6_MULTICAST_IF", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF},
}

// options gets and sets the options of sockets.
func options() {
	for _, k := range []struct {
		name        string
		domain, typ int
		protocol    int
	}{
		{"TCP", unix.AF_INET, unix.SOCK_STREAM, 0},
		{"TCP of IPv6", unix.AF_INET6, unix.SOCK_STREAM, 0},
		{"UDP", unix.AF_INET, unix.SOCK_DGRAM, 0},
		{"UDP of IPv6", unix.AF_INET6, unix.SOCK_DGRAM, 0},
		{"raw ICMP", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP},
	} {
		list := intOptions
		if k.typ != unix.SOCK_STREAM {
			list = append(list[:len(list):len(list)], datagramOptions...)
		}
		for _, o := range list {
			fd := must(unix.Socket(k.domain, k.typ, k.protocol))
			v, err := unix.GetsockoptInt(fd, o.level, o.option)
			call := k.name + ": " + o.name
			say(call, v, err)
			for _, set := range []int{1, 0, 3, 7, -1, 300, 1 << 20} {
				if strings.HasSuffix(o.name, "_IF") && (set == 3 || set == 7) {
					continue // there may be so many interfaces
				}
				err := unix.SetsockoptInt(fd, o.level, o.option, set)
				now, err2 := unix.GetsockoptInt(fd, o.level, o.option)
				say(fmt.Sprint(call, " set to ", set), fmt.Sprint(now, failure(err2)), err)
			}
			_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(o.level), uintptr(o.option), 8, 4, 0)
			say(call+" set from a wild address", "", e)
			unix.Close(fd)
		}
		fd := must(unix.Socket(k.domain, k.typ, k.protocol))
		for _, name := range []string{"lo", "", "nothing", "lo\x00rest", "a name that is far too long for any interface"} {
			err := unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, name)
			now, err2 := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
			say(fmt.Sprintf("%s: SO_BINDTODEVICE %q", k.name, name), fmt.Sprintf("%q%s", now, failure(err2)), err)
		}
		if k.typ == unix.SOCK_STREAM {
			for _, name := range []string{"cubic", "reno", "nothing", ""} {
				err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
				now, err2 := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
				say(fmt.Sprintf("%s: TCP_CONGESTION %q", k.name, name), fmt.Sprintf("%q%s", now, failure(err2)), err)
			}
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			say(k.name+": state", info.State, err)
		}
		unix.Close(fd)
	}
	a, b := connection("")
	info, err := unix.GetsockoptTCPInfo(a, unix.IPPROTO_TCP, unix.TCP_INFO)
	say("a connection", fmt.Sprint(info.State, info.Ca_state, info.Rto > 0, info.Snd_cwnd > 0, info.Total_retrans), err)
	unix.Close(b)
	for info.State == 1 {
		info, err = unix.GetsockoptTCPInfo(a, unix.IPPROTO_TCP, unix.TCP_INFO)
	}
	say("one whose other side has closed", info.State, err)
	unix.Close(a)
	l := listener()
	info, err = unix.GetsockoptTCPInfo(l, unix.IPPROTO_TCP, unix.TCP_INFO)
	say("a listener", info.State, err)
	unix.Close(l)
	groups()
	interfaces()
}

// groups joins groups of multicast and sends to them, as programs do that look for
// others of their kind.
func groups() {
	lo := must(net.InterfaceByName("lo"))
	for _, address := range []string{"224.0.0.99", "ff02::99"} {
		group := &net.UDPAddr{IP: net.ParseIP(address), Zone: "lo"}
		network, host := "udp4", "127.0.0.1"
		if group.IP.To4() == nil {
			network, host = "udp6", "::1"
		} else {
			group.Zone = ""
		}
		c := must(net.ListenPacket(network, ":0")).(*net.UDPConn)
		c.SetReadDeadline(time.Now().Add(patience))
		from := must(net.ListenUDP(network, &net.UDPAddr{IP: net.ParseIP(host)}))
		group.Port = c.LocalAddr().(*net.UDPAddr).Port
		var join, leave func(*net.Interface, net.Addr) error
		if network == "udp4" {
			p := ipv4.NewPacketConn(c)
			join, leave = p.JoinGroup, p.LeaveGroup
			say("SetMulticastInterface", "", ipv4.NewPacketConn(from).SetMulticastInterface(lo))
			say("SetMulticastLoopback", "", ipv4.NewPacketConn(from).SetMulticastLoopback(true))
		} else {
			p := ipv6.NewPacketConn(c)
			join, leave = p.JoinGroup, p.LeaveGroup
			say("SetMulticastInterface", "", ipv6.NewPacketConn(from).SetMulticastInterface(lo))
			say("SetMulticastLoopback", "", ipv6.NewPacketConn(from).SetMulticastLoopback(true))
		}
		say("JoinGroup "+address, "", cause(join(lo, group)))
		say("JoinGroup again", "", cause(join(lo, group)))
		say("JoinGroup of nothing", "", cause(join(&net.Interface{Index: 77}, group)))
		if network == "udp4" { // many machines have no route for groups of IPv6
			n, err := from.WriteTo([]byte("to all"), group)
			say("WriteTo the group", n, cause(err))
			b := make([]byte, 20)
			n, _, err = c.ReadFrom(b)
			say("ReadFrom", string(b[:max(n, 0)]), cause(err))
		}
		say("LeaveGroup", "", cause(leave(lo, group)))
		say("LeaveGroup again", "", cause(leave(lo, group)))
		from.Close()
		c.Close()
	}
}

// interfaces asks about the one that every machine has.
func interfaces() {
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		fd := must(unix.Socket(unix.AF_INET, typ, 0))
		for _, name := range []string{"lo", "nothing0"} {
			for _, request := range []uint{unix.SIOCGIFFLAGS, unix.SIOCGIFADDR, unix.SIOCGIFNETMASK, unix.SIOCGIFBRDADDR, unix.SIOCGIFMTU,
				unix.SIOCGIFHWADDR, unix.SIOCGIFINDEX, unix.SIOCGIFMETRIC, unix.SIOCGIFTXQLEN} {
				r := must(unix.NewIfreq(name))
				err := unix.IoctlIfreq(fd, request, r)
				answer := fmt.Sprint(r.Uint32())
				if a, err := r.Inet4Addr(); err == nil {
					answer = fmt.Sprint(a)
				}
				if request == unix.SIOCGIFFLAGS {
					answer = fmt.Sprintf("%#x", r.Uint16())
				}
				say(fmt.Sprintf("ioctl %#x of %s", request, name), answer, err)
			}
		}
		for _, index := range []uint32{1, 0, 77} {
			r := must(unix.NewIfreq("x"))
			r.SetUint32(index)
			err := unix.IoctlIfreq(fd, unix.SIOCGIFNAME, r)
			name := ""
			if err == nil {
				name = r.Name()
			}
			say(fmt.Sprint("the name of interface ", index), name, err)
		}
		unix.Close(fd)
	}
}
