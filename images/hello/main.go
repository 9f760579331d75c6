// Hello is the smallest image: it says what it runs on and exits. It does so without
// fmt, which would be a tenth of it.
package main

import (
	"os"
	"runtime"
	"strconv"
)

func main() {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	os.Stdout.WriteString("hello from " + runtime.Version() + ": " + strconv.Itoa(runtime.NumCPU()) + " processors, " +
		strconv.FormatUint(mem.Sys>>10, 10) + " KiB of memory taken from the machine\n")
}
