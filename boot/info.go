package boot

// Method is the protocol by which a loader started the image.
type Method uint8

const (
	Unknown   Method = iota
	PVH              // Xen's direct entry, as QEMU -kernel and cloud hypervisors use it
	Multiboot        // Multiboot 1: GRUB, iPXE
)

// String returns the protocol's name.
func (m Method) String() string {
	switch m {
	case PVH:
		return "PVH"
	case Multiboot:
		return "Multiboot"
	}
	return "unknown"
}

// Kind says what a region of physical memory is. The values are those of
// ACPI's address range types (ACPI 6.5, table 15.1), which PVH and Multiboot
// use too.
type Kind uint32

const (
	RAM        Kind = 1
	Reserved   Kind = 2
	ACPITables Kind = 3 // RAM once the tables have been read
	ACPINVS    Kind = 4
	Unusable   Kind = 5
	Persistent Kind = 7
)

// Region is Size bytes of physical memory from Base.
type Region struct {
	Base, Size uint64
	Kind       Kind
}

// End returns the first address behind r.
func (r Region) End() uint64 { return r.Base + r.Size }

// Capacities of Info. A loader that has more than this to say is not refused;
// what was left out is counted or marked.
const (
	MaxRegions     = 128
	maxEntries     = 8 * MaxRegions // of a memory map that are looked at
	MaxCommandLine = 4096           // bytes, each word with a terminating zero
)

// Info is what is known about the machine before anything of it was used. It
// has no pointers and a fixed size, because it is filled before the Go runtime
// and the frame allocator exist. It does not change after Parse.
type Info struct {
	Method Method

	// Memory is the loader's memory map, as given: regions may be unsorted
	// or overlap, none is empty or wraps around. Only RAM that is in no
	// region of another kind may be used, and not what Image and Archive
	// cover.
	Memory        [MaxRegions]Region
	NumMemory     int
	MemoryDropped int // regions that did not fit or made no sense

	// Image is the physical memory that the program, its zeroed data, the
	// boot page tables and the boot stack occupy.
	Image Region

	// OnDemand is what the program expects to be zeroed memory behind its
	// image but hardly ever touches. No loader provides it: the kernel maps it
	// on first use. Other than all else here, Base is a linked address.
	OnDemand Region

	// Archive is the boot archive, a cpio file that the loader read. Its
	// Size is 0 if there is none.
	Archive Region

	// RSDP is the physical address of ACPI's root pointer, 0 if the
	// machine has no ACPI.
	RSDP uint64

	// MinMemory is how many bytes of RAM the image says it needs.
	MinMemory uint64

	// LineTruncated reports that words of the command line are missing.
	LineTruncated bool

	line    [MaxCommandLine]byte // words, each ended by a zero
	lineLen int
}

// Regions returns the memory map.
func (in *Info) Regions() []Region { return in.Memory[:in.NumMemory] }

// RAM returns how many bytes of RAM the memory map lists.
func (in *Info) RAM() uint64 {
	var sum uint64
	for i := range in.Regions() {
		if r := &in.Memory[i]; r.Kind == RAM {
			sum += min(r.Size, ^sum) // a senseless map must not wrap to a small sum
		}
	}
	return sum
}

// addRegion appends a region to the memory map unless it is empty, wraps
// around or is one too many. A kind that the specification does not know is
// kept: it is not RAM.
func (in *Info) addRegion(base, size uint64, kind Kind) {
	if size == 0 {
		return
	}
	if base+size < base || in.NumMemory == MaxRegions {
		in.MemoryDropped++
		return
	}
	in.Memory[in.NumMemory] = Region{base, size, kind}
	in.NumMemory++
}
