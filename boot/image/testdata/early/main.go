// Command early prints what a package that it imports has heard on the network before main.
package main

import (
	"fmt"

	"nuos/boot/image/testdata/early/answer"
)

func main() { fmt.Printf("early: %q, %v\n", answer.Heard, answer.Err) }
