package mm

// Virt is a virtual address. It means the same on every machine of a rack for
// the program, the proclet heaps and the thread stacks.
type Virt uintptr

// Phys is an address as a device sees it: a physical address on metal, an
// offset into the machine's shared memory file when hosted.
type Phys uint64

// PageSize is the size in bytes of the smallest page and frame.
const PageSize = 4096

// Range is Size bytes of virtual addresses from Base.
type Range struct {
	Base Virt
	Size uint64
}

// End returns the first address after r.
func (r Range) End() Virt { return r.Base + Virt(r.Size) }

// Contains reports whether v lies in r.
func (r Range) Contains(v Virt) bool { return v >= r.Base && v-r.Base < Virt(r.Size) }
