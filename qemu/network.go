package qemu

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
)

// The addresses of a rack. Every rack has the same: its switch is a world of
// its own.
//
//	10.77.0.1          the switch's own stack, the gateway
//	10.77.0.10 + i     machine i
//	10.77.0.200 - 249  programs that dial the switch

// Subnet is the rack's network.
var Subnet = netip.MustParsePrefix("10.77.0.0/24")

var (
	gateway     = netip.MustParseAddr("10.77.0.1")
	gatewayMAC  = net.HardwareAddr{0x02, 'n', 'u', 'o', 's', 1}
	firstClient = netip.MustParseAddr("10.77.0.200")
)

const (
	firstMachine = 10
	maxMachines  = 190
	clientCount  = 50
)

// machineIP is the address of machine i.
func machineIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(firstMachine + i)}) }

// hostIP is the address of this computer at which the program of hosted machine
// i listens: each has one of its own, so that all may use the same port, and so
// has each rack (all of 127.0.0.0/8 is this computer; 64 and above are not in
// use for anything else).
func (r *Rack) hostIP(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 64 | r.loopback[0]&63, r.loopback[1], byte(firstMachine + i)})
}

// machineMAC is the Ethernet address of machine i, locally administered.
func machineMAC(i int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 'n', 'u', 'o', 's', byte(firstMachine + i)}
}

// nic is what hosted machine i is told of its network.
func (r *Rack) nic(i int) string {
	if r.options.Link {
		return "link:" + filepath.Join(r.Dir, linkFile)
	}
	return "vhost-user:" + r.socket(i)
}

// parameters are the boot parameters that a rack gives to machine i. A program that is not
// part of a rack, or has no network, does not know the first of them.
func (r *Rack) parameters(i int) []string {
	words := []string{
		"?rack=" + r.Name,
		"?key=" + r.Key,
		fmt.Sprintf("?machines=%d", r.options.Machines),
		fmt.Sprintf("?ip=%v/%d,%v", machineIP(i), Subnet.Bits(), gateway),
	}
	if r.options.Hosted {
		words = append(words,
			"nic="+r.nic(i),
			"host="+r.hostIP(i).String(),
			fmt.Sprintf("mem=%dM", r.options.Memory))
		if r.options.Link {
			words = append(words, "uplink="+r.socket(i))
		}
	}
	return append(words, r.options.Params...)
}
