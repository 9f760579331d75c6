// Package fiber runs code on stacks that any goroutine can carry, here or on
// another machine of the rack.
//
// A fiber has a region of addresses that no other machine uses. At its top lies
// the header, whose first field is the [Fiber]; below it the stack, which grows
// down; from its bottom up the arena:
//
//	region                                                    region + RegionSize
//	| arena ->            |                         <- stack | header |
//	                      ArenaSize          RegionSize - HeaderSize
//
// A fiber that runs or sleeps is attached to a carrier: a goroutine that does
// nothing else, whose stack bounds, frame and defer chains in the runtime's g are
// exchanged for the fiber's by one assembly routine, swap. To the runtime it is an
// ordinary goroutine with an unusually placed stack: it is preempted, profiled,
// scanned, its panics and system calls work. A fiber that Leaves is detached: a
// piece of memory without pointers into Go's heap, of which Image makes bytes
// and that Thaw lays down again, at the same addresses of another machine.
//
// A fiber that sleeps in Park can also leave without being woken: [Fiber.Hold] keeps
// it asleep, and an image of it goes on as if Park had returned.
//
// [Fiber.Call] marks a boundary on the stack. [Fiber.Split] cuts the stack at all
// boundaries; the running part keeps the fiber's identity, each lower part becomes
// an image that returns from its Call when it is thawed and started.
//
// # Invariants
//
//   - What the collector has to see is on the stack of an attached fiber, or not on
//     a fiber's stack at all. A stack is detached only after package stackmap has
//     found no live pointer into Go's heap on it.
//   - The stack that a carrier was born with is not scanned while it carries a
//     fiber. Its frames hold the carrier and nothing else; all carriers are in a
//     global table.
//   - g is only changed by the goroutine whose g it is, in assembly, which is never
//     preempted.
//   - At most one part of a split fiber occupies the region of a machine at a time.
//   - Frames of this package that sleep or leave hold addresses in the region and
//     nothing of the machine.
//
// # Caveats
//
//   - The runtime must not shrink stacks: hosted, a program that imports this
//     package re-executes itself once, at start, with GODEBUG=gcshrinkstackoff=1;
//     images have it built in. The limit for stacks of ordinary goroutines becomes
//     64 MiB (see debug.SetMaxStack), so that the overflow of a fiber's stack is
//     Go's own fatal error.
//   - Depends on the layout of the runtime's g in Go 1.26, in runtime.go; Check
//     verifies it.
//   - What is given to Call ends a runtime.Goexit itself, with Escape: the goroutine is
//     not the fiber's.
//   - Carriers outlive their fibers, and serve any. So fibers are started inside a
//     bubble of testing/synctest only by a process that never starts any outside, and
//     exits in the bubble.
//   - The goroutine's id, profiler labels, runtime.LockOSThread and debug.
//     SetPanicOnFault belong to the carrier and do not travel. A panic in flight
//     that travels leaves the count of running panics of both programs wrong, which
//     delays their exit by some 1,000 yields.
//   - With the race detector, which knows its goroutines' stacks, a fiber runs as an
//     ordinary goroutine and cannot leave (see Movable).
package fiber
