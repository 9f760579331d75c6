// Package dist has data structures that are spread over proclets, and an
// executor that spreads work.
//
// # Structures
//
// A structure consists of shards, proclets that lie anywhere in the rack and move
// as they like, and a shard map, a small proclet that knows which shard holds
// what. Shards split when they become large or busy, and merge with a neighbour when they
// become small. Those who use a structure have a handle: a plain value that may be
// copied, kept in state, passed to calls and bound to a name, and used from any
// machine by any number of methods and goroutines at once.
//
// Elements are of types that can be both kept in a proclet's state and passed to
// calls: numbers, proclet.String, arrays, structs of these, and Refs.
//
// # Invariants
//
//   - Places (hashes of keys, indexes) are what shards divide among them. At any
//     time at most one shard serves a place.
//   - An operation is executed once, by the shard that held the place at that time.
//     A shard that is asked for a place that it does not hold does nothing and says
//     so; the caller looks at the shard map and goes there.
//   - What lies in a shard outside of its places is there for nobody.
//   - Nobody holds a lock of a shard or of the shard map while it waits for another
//     proclet.
//
// The package is written against the public API of package proclet alone.
//
// # Caveats
//
//   - A shard that is lost with its machine is lost for the structure: operations on
//     its places fail with proclet.ErrLost. If the shard map is lost, what
//     machines know of it still works, until something splits or merges.
//   - Handles keep a structure alive as Refs do; see [HashTable.Destroy] for ending it
//     at once.
package dist
