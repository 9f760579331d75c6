// Package tor is the top-of-rack switch: an Ethernet switch in a process, that
// learns addresses and can be told to treat frames badly.
//
// What is plugged into a port:
//
//	Port.Connect          a stream of frames, QEMU's "-netdev stream"
//	Port.ListenStream     the same, of whoever comes: the uplink of a machine at a cable
//	Port.ListenVhostUser  a vhost-user front-end: a hosted machine, or QEMU
//	Switch.AddHost        a TCP/IP stack of this process, with port forwarding
//	                      (Host.Forward) and DHCP (Host.ServeDHCP)
//	Switch.ListenClients  any other program, which calls Dial
//
// # Frames
//
// A frame is handled by the goroutine that read it, all the way into the
// destination's queue, and usually by the same goroutine into its socket or
// ring; there is no goroutine for each frame. A peer that is slow makes its
// senders wait, so nothing is lost that the links were not told to lose; one
// that takes nothing for 200 ms is stopped, and what is for it is dropped until
// it takes something again.
//
// Order is kept between any two ports, except where faults say otherwise.
//
// # Faults
//
// Each port has a link with Faults, applied to each direction on its own from
// a random source of its own: with the seed of New, the ports in the same
// order and the same frames on a link, the same frames are hit. Partition cuts
// between groups of ports. Inject sends anything at all.
//
// # Trust
//
// Peers are not trusted: a stream out of step, a message or a descriptor that
// points outside the peer's own memory, or memory that vanishes ends that
// peer's connection, is counted in its port's Stats.Bad, and hurts nobody
// else. Sockets are readable by their owner only.
//
// # Caveats
//
// The switch has no spanning tree: two ports of it must not be joined outside.
// vhost-user is served without indirect descriptors, packed rings, more than
// one queue pair, and live migration.
package tor
