//go:build metal

package boot

// EnableFeatures prepares the calling processor for Go code: SSE and, where
// they exist, AVX, AVX-512, FSGSBASE and no-execute pages. The boot processor
// has run it before the kernel starts; the kernel calls it, from assembly, on
// each other processor. It needs no g and no stack besides its return address.
func EnableFeatures()
