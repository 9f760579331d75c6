//go:build metal

package boot

import (
	"encoding/hex"
	"io"
	"strconv"
)

// Announce says on the console how the machine came up and what of its command
// line was not understood. The file that image adds to a program calls it
// before main.
func Announce(w io.Writer) {
	m := Machine()
	id := BuildID()
	// Not with fmt, which a program without it would have to carry for this, and not with
	// io.WriteString: to look for the method that it prefers is the only conversion between
	// interfaces before main, and costs a start a thousandth of a second where it is emulated.
	w.Write([]byte("nuos: booted by " + m.Method.String() + ", " + strconv.FormatUint(m.RAM()>>20, 10) +
		" MiB of memory, build " + hex.EncodeToString(id[:6]) + "\n"))
	if n := m.MemoryDropped; n > 0 {
		io.WriteString(w, "nuos: "+strconv.Itoa(n)+
			" regions of the memory map make no sense or are too many; their memory is not used\n")
	}
	ReportUnknown(w)
}
