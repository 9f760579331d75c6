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
// # Directory
//
// The directory knows who is a member, with which incarnation, who of them leads
// it and in which epoch, who drains or leaves, the build that all run, leased
// heap addresses, names, and where proclets live. That is a state machine
// (state.go), of which one, two, three or five machines keep a copy each
// (voters.go), agreed on with Raft (replica.go, replicate.go). Its leader serves
// ServiceDirectory (directory.go); when it dies another has taken over within
// 300 ms, with all that was acknowledged. The others know the part that is called
// a View (view.go): the leader tells them of every change.
//
// Nobody asks the directory for what is cached: calls whose cache is right,
// addresses of a lease, and names that were resolved before cost it no message.
// A migration tells it where the proclet is now, in batches, and does not wait.
//
// The first view is agreed on by those who look for the rack (founding.go).
//
// # Membership
//
// A machine that is silent for Config.Dead is declared dead by the directory's
// leader, if a majority of the copies agrees. A dead incarnation is fenced: its
// frames are dropped, it is told, and it serves no longer. A machine that boots
// again is another incarnation with another MachineID; the former one is dead at
// once.
//
// A machine that leaves (leave.go) asks the directory for a view without it, and
// waits until it knows that this is decided: from the answer, or from whoever
// leads by then. Before that another keeps its copy, and leads if it did. It does
// not go before those who wait for its word have that. So all can leave, in any
// order.
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
// Without a majority of the copies nothing new is decided: no joins, deaths,
// leases, names; calls and what is known go on, and a silent machine is
// ErrUnreachable, not ErrLost. A copy that is lost is replaced within Config.Dead;
// a rack that loses more than half of them at once, three of five, two of three,
// must be booted anew to take in others, even if most of its machines live.
//
// Two copies must both agree, but their leader may declare the other dead, alone;
// the other, when the leader dies, waits until that machine boots or comes back,
// and goes on alone if it has booted. In the milliseconds in which the number of
// copies changes from one to two or from three to two this cannot be: then the
// loss of one is the loss of the directory.
//
// What the leader answers may be an election's time-out old if it has been cut
// off or stopped and does not know yet that another leads. What it decides is not.
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
