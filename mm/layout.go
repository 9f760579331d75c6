package mm

// The address space, the same on every machine and on both grounds. Go places
// its own heap anywhere below 0x4000_0000_0000, at random, so everything of
// ours that has a fixed address lies above; hosted, Linux maps what it chooses
// itself at 0x7f00_0000_0000 and above.
//
//	0x0000_0040_0000   the program, where it was linked
//	   ...             Go's heap
//	0x5000_0000_0000   proclet heaps, 16 TiB, leased by the directory
//	0x6000_0000_0000   thread stacks, 16 TiB, leased by the directory
//	0x7000_0000_0000   direct map: all of the machine's frames, in order
//	0x7b00_0000_0000   device registers (metal)
//	0x7c00_0000_0000   anonymous mappings without a hint (metal)
//	0x7f00_0000_0000   the kernel's stacks, with gaps between them (metal)
var (
	HeapArea   = Range{0x5000_0000_0000, 0x1000_0000_0000}
	StackArea  = Range{0x6000_0000_0000, 0x1000_0000_0000}
	DirectArea = Range{0x7000_0000_0000, 0x0b00_0000_0000}
	DeviceArea = Range{0x7b00_0000_0000, 0x0100_0000_0000}
	AnonArea   = Range{0x7c00_0000_0000, 0x0300_0000_0000}
	KernelArea = Range{0x7f00_0000_0000, 0x0080_0000_0000}
)
