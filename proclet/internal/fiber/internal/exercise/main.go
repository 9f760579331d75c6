// Exercise runs the stress test of package fiber on a machine of ours. Its arguments
// are the number of threads, the rounds of each, and the seed.
package main

import (
	"fmt"
	"os"
	"strconv"

	"nuos/proclet/internal/fiber/internal/stress"
)

func main() {
	var n [3]uint64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseUint(os.Args[1+i], 10, 64); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
	}
	if err := stress.Run(stress.Config{Threads: int(n[0]), Rounds: int(n[1]), Seed: n[2]}); err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	fmt.Println("ok,", stress.Hops(), "hops")
}
