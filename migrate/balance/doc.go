// Package balance moves proclets by itself: away from a machine that runs out of memory or
// processors, to one that has joined, and off one that drains.
//
//	m := migrate.Serve(r, rt)
//	balance.Serve(r, rt, m)
//
// What is decided, and why, is in package placement, which knows neither clock nor network. Here is what
// it needs of a machine: samples, messages, moves, and a log of the decisions, which nuos
// events shows.
//
// # What runs
//
// Every machine looks at itself once in a millisecond, or more seldom as long as nothing
// runs and there is plenty of memory. It reports to the leader, which is the rack's directory
// machine, when something has changed. A source that is under pressure asks the leader where to go,
// offers what it has picked to the destination, and moves it, a few proclets at a time. The
// destination refuses what it has no room for, whoever has granted it.
//
// # Invariants
//
//   - A machine that gives takes no offers, and one that has taken an offer gives nothing as long
//     as the offer holds. This is so whatever leaders believe.
//   - A proclet that does not fit above the watermark is not taken in, by whomever it is sent.
//   - Every decision is an [Event], on the machine that made it.
//
// # Caveats
//
// A look is a goroutine's. When all processors compute without a call it comes as late as everybody
// else, some 10 ms, which is then what it finds.
//
// Machines are to agree on whether they balance (boot parameter balance): one that does not reports
// nothing, and so nothing goes there.
//
// Machines of one process share its memory and its processors, and each takes them for its own.
package balance
