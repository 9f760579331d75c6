//go:build !race

package fiber

import "runtime/debug"

// maxStack is the limit for the stacks of goroutines. The runtime compares it with
// twice the size of a stack that is too small, so on a fiber's stack, of some 48 MiB,
// an overflow is its own fatal error, a stack overflow. Ordinary goroutines, whose
// stacks double from a small power of two, may use that much.
//
// If the program raises the limit later, an overflow is another fatal error: the
// runtime refuses to make a stack whose size is no power of two.
const maxStack = 64 << 20

func init() {
	if before := debug.SetMaxStack(maxStack); before < maxStack {
		debug.SetMaxStack(before)
	}
}
