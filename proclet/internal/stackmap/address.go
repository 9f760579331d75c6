package stackmap

import "nuos/mm"

// What an address may be, wherever it is found.

// image is the program: text, read-only data, data and bss lie in one piece,
// at the same addresses on all machines that run the program.
var image = struct{ lo, size uintptr }{lastmoduledatap.text, lastmoduledatap.end - lastmoduledatap.text}

// The areas of the rack, whose addresses mean the same on all machines.
var (
	heaps  = struct{ lo, size uintptr }{uintptr(mm.HeapArea.Base), uintptr(mm.HeapArea.Size)}
	stacks = struct{ lo, size uintptr }{uintptr(mm.StackArea.Base), uintptr(mm.StackArea.Size)}
	rack   = struct{ lo, size uintptr }{heaps.lo, stacks.lo + stacks.size - heaps.lo} // from one to the other
)

// mayTravel reports whether p, which is neither nil nor an address of what
// moves along, means the same on all machines.
func mayTravel(p uintptr) bool {
	return p-image.lo < image.size || p-heaps.lo < heaps.size
}

// describe says what p, which must not travel, is.
func describe(p uintptr) string {
	switch {
	case madeItab(p):
		return describeItab(p)
	case madeType(p):
		return describeType(p)
	case p-stacks.lo < stacks.size:
		return "a pointer into the stack of another thread"
	case !verifyNotInHeapPtr(p):
		return "a pointer into the Go heap or a goroutine's stack"
	default:
		return "a pointer to memory of this process"
	}
}
