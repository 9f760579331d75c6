// Package unix is Unix-domain sockets: streams, datagrams and sequenced packets
// between the parts of the one process that there is, with Linux's semantics
// (unix(7)), control messages that carry descriptors and credentials included.
//
// In reading order:
//
//   - memory.go: what the package needs of the kernel
//   - socket.go: the table of sockets, and their life
//   - name.go: addresses
//   - connect.go: bind, listen, connect, accept, shutdown
//   - queue.go: messages that wait to be received
//   - vector.go, control.go, message.go: what the program passes by address
//   - send.go, receive.go
//   - batch.go: several messages in one call
//   - option.go: socket options
//   - call.go: the system calls by number
//
// A socket has no sending queue: what is sent goes to the receiver's queue, whose
// length is bounded by the sender's SO_SNDBUF, so that a stream has room for more
// than 200 KiB. The queue is made of pages that exist only while they hold bytes.
//
// # Invariants
//
//   - Nothing lies in Go's heap, and nothing stores a Go pointer: sockets refer
//     to each other by index and to pages by address. So system-call handlers may
//     use all of it, and there are no write barriers. TestKernelCode (kernel) checks that.
//   - One lock of the caller's guards the whole package.
//   - A socket's place in the table is used again only when it is closed, no
//     other socket has it as its peer, and no message of it waits anywhere.
//   - Whoever gets EAGAIN is notified when trying again is worth it: a sender has
//     itself noted at the receiver (starved), which is looked at by all that make
//     room there.
//
// # Caveats
//
//   - Descriptors that lie in the queue of a socket that is itself only reachable
//     through that queue are never closed: nobody looks for such cycles.
//   - recvmmsg(2) and sendmmsg(2) wait for their first message only, and so have
//     no use for recvmmsg's time-out.
//   - A read with MSG_WAITALL may return less than was asked for.
package unix
