// Package placement decides when proclets have to move, which, and where to.
//
// It is a set of state machines: what has happened, and when, is their argument, and what is
// to be done their result. They read no clock, send nothing, take no lock and start
// no goroutine, so that the code that runs a rack is the code that a simulation runs in virtual
// time. Package balance connects them with a machine.
//
// # Who decides what
//
// A [Sensor] on every machine turns samples into pressure: too little free memory, now or
// soon, or threads that have waited for a processor without a break. The machine
// under pressure, the source, knows its proclets and picks: those first of which a microsecond of
// moving brings most ([Policy.Pick]). The [Leader] knows the machines and says where to: to
// one that has room, for memory beyond a reserve, and if there is a choice to the one that calls
// what is to move. It also has machines give some of what they have to others that have much more room,
// such as those that have just joined ([Leader.Even]).
//
// # Invariants
//
//   - No machine is source and destination at once.
//   - What a destination is promised fits, by the figures of its last report and with all
//     that was promised to it meanwhile: a move for the sake of pressure does not
//     make pressure. So with a load that does not change moves come to an end.
//   - What moves to even machines out makes them equal at most, and that begins only when they differ
//     by [Policy.Even].
//   - A machine shows as room what was free for half a second ([State.Peak]), not what happens to be.
//   - A proclet that has just arrived stays for [Policy.Residence], and one that cannot be moved
//     is not tried again at once.
//   - Nothing is lost with a leader. Another one learns from the next reports what there is,
//     and a [Grant] ends by itself.
//
// # Caveats
//
// Reports are some milliseconds old. A machine therefore refuses, itself, what it has
// no room for when it comes. Load is what threads ask for, not what they get.
package placement
