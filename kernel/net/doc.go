// Package net is the machine's Internet: gVisor's tcpip on the NIC port, and
// Linux's socket calls on top of it, so that net.Listen, net.Dial and
// everything built on them work unchanged in an image.
//
// A socket has two halves. Its *socket* (socket.go) stands in a static table
// without pointers; system calls work on it in handler context, where nothing
// may be allocated and no goroutine waited for. Its *end* (end.go) is the
// ordinary Go object that owns the gVisor endpoint; only the pump's goroutines
// touch it. Between the two lie two rings of bytes outside the Go heap, each
// with one writer and one reader: a write(2) puts bytes into the sending ring
// and asks the pump for its attention, the pump moves them into the endpoint;
// received bytes go the other way. A listening socket's receiving ring holds
// the indices of accepted sockets, a datagram socket's rings hold records.
//
// The two halves never share a lock. What one needs to know of the other is an
// atomic word, and whoever goes to sleep (a program that gets EAGAIN, a pump
// that finds a ring full) first says so in such a word and then looks again, so
// that no edge is lost: the other side changes the ring first and reads the
// word afterwards.
//
// bind, listen and the connect of datagram sockets wait for the pump; Go
// announces these to its scheduler. A stream's connect answers EINPROGRESS.
// Every other call completes at once.
//
// Invariants: a socket index is used again only after its end is gone; rings
// are given back only after close, which is the last call on a socket; a
// socket is served by one goroutine at a time.
//
// Caveats: of IPv6 the NIC has its link-local address only. A datagram that cannot
// be sent is reported by the next send on its socket, and one of IPv6 may have no
// more than 65492 bytes. IP_PKTINFO lets nobody send from another IPv4 address than
// the datagram would come from anyhow. recvmmsg(2) and sendmmsg(2) wait for their
// first message only, and so have no use for recvmmsg's time-out. Netlink sockets
// dump interfaces and addresses and do nothing else. Raw sockets are of ICMP, TCP, UDP
// and a few more protocols (rawprotocol.go), or only send (IPPROTO_RAW), and lose
// packets of more than 65507 bytes; ping sockets are everybody's. TCP_INFO says of a
// connection what gVisor knows: no counts of bytes. There are no packet sockets and no
// filters (SO_ATTACH_FILTER), and some options have no effect (optiontable.go). The goroutines
// of the stack and of this package are among those that the program counts.
package net
