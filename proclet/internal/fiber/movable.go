//go:build !race

package fiber

// Movable says whether fibers have stacks of their own and can leave.
const Movable = true
