// Package packet is a network interface of Linux as the card of a hosted machine: frames go
// through a packet socket (packet(7)), which takes the right to open raw sockets (CAP_NET_RAW).
// It is how the hosted build runs where there is nothing but a kernel's network, such as in a
// Linux guest.
//
// Invariants: a frame that Send has taken has been copied by the kernel, so nothing is lent.
// The machine gets every frame that comes to the interface, but none that it has sent.
//
// Caveats: the interface's own addresses stay the kernel's, which answers for them. It should
// have none.
package packet
