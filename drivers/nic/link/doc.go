// Package link is a cable between two hosted machines of one computer: each reads what the
// other sends where it lies, in the other's memory, so that a byte is copied once, by the
// machine that wants it, to where it wants it.
//
// Each machine has a ring of descriptors in its memory (ring.go) that it alone writes. The
// other maps that memory, read-only, follows the ring, and says in its own memory how far it
// has come. An eventfd wakes who does not look.
//
// The machines meet at a unix socket (connect.go): whoever finds nobody listening
// there listens. When one of them ends, the other waits for the next. Frames for a machine
// that is not there are lost, as on a cable that is not plugged in.
//
// Invariants: neither machine writes to the other's memory. What is read there is read once
// and checked; a peer that writes nonsense is counted in Stats and skipped. What was given to
// Send as Gather is read by the peer only until Completed says otherwise, or the peer has
// gone. Frames arrive unchanged, in order and once, or, while nobody is plugged in, not at all.
//
// Others than the peer may reach a machine by its uplink (uplink.go), a stream of frames to a
// switch: observers do.
//
// Caveats: the peer can read all of a machine's memory. There are two machines to a cable.
package link
