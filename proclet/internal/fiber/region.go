package fiber

import (
	"fmt"
	"unsafe"

	"nuos/mm"
)

// The layout of a region; see the package comment.
const (
	// RegionSize is the size of a region in bytes, to which it is aligned, so that
	// any address in it leads to the header.
	RegionSize = 64 << 20
	// ArenaSize is how many bytes the arena may take.
	ArenaSize = 16 << 20
	// HeaderSize is how many bytes what begins with the Fiber may take. All of them are
	// in every image. The header and the first frames share a page, which is all that
	// most fibers ever touch.
	HeaderSize = 640

	// stackSize must be no power of two: if the runtime ever tried to make such a
	// stack grow, it would refuse with a fatal error.
	stackSize = RegionSize - ArenaSize - HeaderSize

	// topSpace keeps the outermost frame away from the header. The runtime does so
	// for the stacks that it makes.
	topSpace = 32
)

// regionOf returns the region that p lies in.
func regionOf(p uintptr) mm.Range {
	return mm.Range{Base: mm.Virt(p &^ (RegionSize - 1)), Size: RegionSize}
}

// at returns the header of the region that p lies in.
func at(p uintptr) *Fiber {
	return (*Fiber)(pointer(p&^(RegionSize-1) + RegionSize - HeaderSize))
}

// current returns the fiber that calls it.
func current() *Fiber {
	var b byte
	return at(uintptr(unsafe.Pointer(&b)))
}

// address returns where f and its header lie: at the highest address of its stack.
func (f *Fiber) address() uintptr { return uintptr(unsafe.Pointer(f)) }

// Region returns the addresses that f lives in.
func (f *Fiber) Region() mm.Range { return regionOf(f.address()) }

func (f *Fiber) stackLo() uintptr { return f.address() - stackSize }
func (f *Fiber) stackHi() uintptr { return f.address() }

// checkRegion makes sure that r can be a region, and that the area is there.
func checkRegion(r mm.Range) error {
	if r.Size != RegionSize || uint64(r.Base)%RegionSize != 0 || !mm.StackArea.Contains(r.Base) {
		return fmt.Errorf("fiber: %#x, %d bytes, is no region", uint64(r.Base), r.Size)
	}
	return mm.MapStacks()
}
