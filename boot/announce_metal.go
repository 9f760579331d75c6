//go:build metal

package boot

import (
	"fmt"
	"io"
)

// Announce says on the console how the machine came up and what of its command
// line was not understood. The file that image adds to a program calls it
// before main.
func Announce(w io.Writer) {
	m := Machine()
	id := BuildID()
	fmt.Fprintf(w, "nuos: booted by %v, %d MiB of memory, build %x\n", m.Method, m.RAM()>>20, id[:6])
	if n := m.MemoryDropped; n > 0 {
		fmt.Fprintf(w, "nuos: %d regions of the memory map make no sense or are too many; their memory is not used\n", n)
	}
	ReportUnknown(w)
}
