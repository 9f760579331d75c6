//go:build proclet_debug

package mm

// Debug says that the program was built with the tag proclet_debug: heaps poison
// free memory and check it.
const Debug = true
