// Package simulation runs a rack under virtual time: up to thousands of machines and a million proclets in
// one goroutine, from a seed. What decides is the code that decides in a rack: the sensors,
// sources, policy, cost model and leader of package placement. What is simulated is the rest: the load
// of applications, memory, moves, a network that delays, repeats, reorders and loses, and machines
// that crash, pause, boot again and are cut off.
//
// # Invariants
//
// These are checked at every step, and a run that breaks one ends with a [Broken] that has the seed
// and the last events:
//
//   - A proclet is on one machine, or was lost with it.
//   - No machine gives proclets away and takes others at the same time.
//   - What arrives fits into the memory that is free.
//   - A proclet that has arrived stays for [placement.Policy.Residence], unless its machine drains
//     or is short of memory.
//   - What a source was granted it does not exceed.
//
// # Caveats
//
// A move is one event, at the time at which the policy's cost model says that it ends: who fails
// before it keeps the proclet or loses it. What happens in between, step by step, is tested with the code
// that moves proclets, in packages migrate and proclet. Proclets do not call each other.
package simulation
