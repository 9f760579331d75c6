package boot

// A Refusal says in one sentence why the machine cannot start; it is empty
// when the machine can. It is a string of the image's read-only data and not
// an error, because it is passed on before the Go runtime is up.
type Refusal string

const (
	// UnknownLoader: neither PVH nor Multiboot left its mark.
	UnknownLoader Refusal = "the loader speaks neither PVH nor Multiboot"
	// NoMemoryMap: nobody said where RAM is.
	NoMemoryMap Refusal = "the loader gave no memory map"
	// NoRAM: the memory map lists no RAM at all.
	NoRAM Refusal = "the loader's memory map lists no RAM"
	// NotEnoughMemory: the machine has less RAM than Info.MinMemory. The entry code says the
	// same of itself where there is none for the image's zeroed data.
	NotEnoughMemory Refusal = "the machine has less memory than the image needs"
)
