package boot

// Stamp is what the image writer records inside an image. It finds the stamp
// by the symbol nuos/boot.stamp; the entry code reads it by layout.h. All
// fields but Version are zero in a file that the writer has not seen.
type Stamp struct {
	Version   uint64   // StampVersion; not zero, so that the linker gives the stamp bytes in the file
	Self      uint64   // linked address of the stamp
	Start     uint64   // first linked address of the program, page-aligned
	End       uint64   // linked address behind what the loader provides, zeroed data included
	Limit     uint64   // linked address behind what the program expects zeroed; from End on, the kernel maps it on first use
	MinMemory uint64   // bytes of RAM without which the image refuses to start
	ID        [32]byte // SHA-256 over the loaded segments, in which this field is zero
}

// StampVersion changes with the layout of Stamp.
const StampVersion = 2

// StampSize is the size of Stamp in bytes.
const StampSize = 6*8 + 32
