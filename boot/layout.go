package boot

// Where the entry code puts things. The assembly includes the same numbers
// from layout.h; a test compares them.
const (
	// DirectMap is the virtual address of physical address 0 while the
	// machine starts, and for ever after: mm builds the full direct map at
	// the same place (mm.DirectArea).
	DirectMap = 0x7000_0000_0000

	// EarlyMapped is how much physical memory, from 0, the entry code maps
	// at DirectMap. Whatever a loader leaves behind lies below it.
	EarlyMapped = 4 << 30

	// ImageLimit is the linked address that no image may reach: the tables
	// of the entry code map the program with 4 KiB pages up to here.
	ImageLimit = 128 << 20

	// StackSize is the size in bytes of the stack on which the kernel starts.
	StackSize = 64 << 10
)
