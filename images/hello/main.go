// Hello is the smallest image: it says what it runs on and exits.
package main

import (
	"fmt"
	"runtime"
)

func main() {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	fmt.Printf("hello from %s: %d processors, %d KiB of memory taken from the machine\n",
		runtime.Version(), runtime.NumCPU(), mem.Sys>>10)
}
