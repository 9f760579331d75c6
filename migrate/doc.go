// Package migrate moves proclets from one machine to another by copying their
// bytes, while their callers keep calling.
//
// # A move
//
// A large proclet that is in use is first copied while it runs, in rounds: all of it, then
// what has been written meanwhile. Each round is announced; the destination has memory for it, or
// refuses, which costs the proclet nothing. Then only what was written since the last
// round is sent in what follows.
//
// The source closes the proclet's gate: new calls wait, and those inside end
// within a bound or the move is given up. It announces the proclet; the
// destination maps memory at the same addresses, or refuses, which costs
// nothing. The bytes go from the source's pages to the destination's as one bulk
// transfer. When the destination has them all and has found them sound it
// answers that it is *prepared*. The source then *commits*: it can no longer go
// back, says so to the destination until that acknowledges, sends waiting and
// later callers there, and gives its memory back.
//
// Moves are asked for: here by nuos migrate and [Shuffler], and by package balance, which decides by itself.
//
// # Invariants
//
//   - Never two running copies. The destination runs the proclet only when told
//     to commit, or when it is prepared and the source's incarnation has been
//     declared dead. The source opens its gate again only when the destination
//     has acknowledged that it gave up, or has been declared dead. An incarnation
//     that was declared dead is fenced: nobody takes a frame of it, so it cannot
//     commit or go on serving.
//   - Never no copy, unless the machine that owned the proclet died. Before the
//     commit that is the source, or a prepared destination if the source died;
//     after the commit it is the destination.
//   - What is copied while a proclet runs is nobody's: it becomes a proclet only with the last
//     round, and is discarded when the move is given up, the source dies or the proclet ends.
//   - Every message may be lost, repeated or late. A move has a number that its
//     source never uses again; the destination remembers how a move ended until
//     the source says that it needs to know no longer, and answers repetitions
//     from that memory.
//
// # Caveats
//
// While the directory has no majority nobody can be declared dead. A move caught
// in that state waits, and so do the callers of its proclet.
package migrate
