// Probe prints what the loader gave it: arguments, environment, the files named
// by the arguments, and whether its zeroed data is zero. Its exit status is the
// environment variable STATUS.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// large is left out of the image and mapped on first use.
var large [32 << 20]byte

func main() {
	nonzero := 0
	for i := 0; i < len(large); i += 509 { // several times in each page
		if large[i] != 0 {
			nonzero++
		}
		large[i] = 1
	}
	fmt.Printf("zeroed data: %d bytes of %d are not zero\n", nonzero, len(large))
	fmt.Printf("arguments %q\n", os.Args[1:])
	for _, v := range os.Environ() {
		fmt.Printf("environment %q\n", v)
	}
	for _, name := range os.Args[1:] {
		if !strings.HasPrefix(name, "/") {
			continue
		}
		b, err := os.ReadFile(name)
		fmt.Printf("file %s %q %v\n", name, b, err)
	}
	status, _ := strconv.Atoi(os.Getenv("STATUS"))
	os.Exit(status)
}
