// Package port is the machine's own NIC: opened once, shared by everybody who
// speaks on the network.
//
// A claimant says with Claim which received frames are its own. Frames are
// taken from the card by whoever calls Poll, which is anybody who waits for
// one, and by the port's pump, a goroutine that polls, arms the card and parks
// when nothing comes. Nothing on the way of a frame allocates. Before somebody looks at the card,
// claimants send what they have gathered since the last time (ClaimPieces).
//
// Invariants: a frame is delivered to at most one claimant, the first in the
// order of Claim that matches, and then to that of ClaimRest; frames of the
// card are delivered in the order in which they arrived, never two at a time.
// Either the pump is awake, or somebody holds the receiving lock, or the card
// is armed, or the event of that is on its way: so no frame waits for a timer.
//
// Caveats: deliver runs with the receiving lock held. It may Send; a Poll in
// it does nothing; Close or a cancel in it would wait for itself. The
// link-local address is not probed for a conflict (RFC 3927, 2.2.1): two cards
// whose addresses agree in the low 16 bits need ip=.
package port
