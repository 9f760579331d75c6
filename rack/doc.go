// Package rack ties machines together: they find each other on their segment,
// agree on who is a member, call each other and send each other memory.
//
// # Transport
//
// Frames are UDP/IPv4 on a nic port that is shared with others. Between two
// incarnations there is at most one session, ever (session.go). On it numbered
// packets arrive exactly once (sender.go, receiver.go). Calls (calls.go,
// serve.go) are messages in such packets, one or several (message.go, gather.go). Bulk transfers (bulk.go) are driven
// by the receiver, read straight from the pages of the source, and put into the
// pages of the destination. A frame that is short, corrupt, foreign, forged or
// repeated is counted, by reason, and dropped.
//
// # Membership
//
// What the members agree on is a View (view.go): who is a member, who is the
// directory, how far numbers and addresses are used up. Views are decided one
// after the other by majorities, like values of Paxos, so that in an epoch at
// most one machine decides anything (elect.go, form.go). The directory (lead.go,
// directory.go) adds and removes members, leases heap addresses, binds names
// and knows where proclets live. When it dies another is elected, and learns
// from the members' reports what is not in the view.
//
// A machine that is silent for Config.Dead is declared dead if a majority of
// the members can decide so. A dead incarnation is fenced: its frames are
// dropped, it is told, and it serves no longer. A machine that boots again is
// another incarnation with another MachineID; the former one is dead at once.
//
// A machine that leaves (leave.go) asks the directory for a view without it, and
// waits until it knows that this is decided: from the answer; from whoever is
// the directory by then; or, if it was the directory itself and lost its office
// over it, by completing the view as a candidate. It does not go before those
// who wait for its word have that. So all can leave, in any order.
//
// An observer (observer.go) looks at a rack without being a member: it is exempt
// from the comparison of builds, and may call administrative services only.
//
// # Invariants
//
//   - A request is executed at most once. A call that fails says whether it may
//     have been.
//   - Two machines never have the same MachineID, nor the same heap addresses,
//     as long as the rack lives. A bound name keeps its value.
//   - No two machines decide in the same epoch. Two racks never merge.
//   - When SendBulk returns, the card does not read the source; when ReceiveBulk
//     returns, nothing writes to the destination.
//
// # Caveats
//
// Without a majority nothing new is decided: no joins, deaths, leases, names;
// calls and what is known go on, and a silent machine is ErrUnreachable, not
// ErrLost. Half of the members is enough if one of the others has certainly
// gone, because its machine has booted again. Of two machines the directory may
// declare the other dead, alone; the other, when the directory dies, waits until
// that machine boots or comes back. A rack that loses more than half of its
// machines at once must be booted anew to take in others.
//
// That a machine has booted again is taken from its Ethernet address: two with
// the same address cannot be in a rack. If the directory of two machines has
// been cut off from the other for longer than Config.Dead, went on with a third
// machine, and then booted again while the other two were cut off from each
// other, both of these would go on; before one goes on so it asks on the
// segment whether it has been declared dead.
//
// The key keeps strangers and mistakes out; it does not keep secrets, and who
// can read the segment can forge data frames, which carry a random tag only.
//
// Handlers that call back must not form cycles longer than the credits: 256
// ordinary and 256 system calls are under way from one machine to another.
package rack
