// Package stress takes memory and processors away from a machine, for a while: an antagonist, to
// see how the rack gets out of its way.
//
// What it takes is really taken: zeroed frames, which mm books as memory of devices, and threads that
// compute without a pause. It leaves a machine as much memory as it is told, since Go's runtime
// does not survive having none, and everything ends by itself.
//
// # Invariants
//
//   - When an order has ended, all that was taken for it has been given back.
//   - Less than what is to be left is never left by it; others may take that.
package stress
