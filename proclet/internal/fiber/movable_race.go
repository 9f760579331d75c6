//go:build race

package fiber

// Movable is false: the race detector keeps its own records of each goroutine's
// stack, which do not follow when the stack is exchanged.
const Movable = false

const maxStack = 1 << 30 // the runtime's own
