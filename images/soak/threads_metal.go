//go:build metal

package main

import "nuos/kernel"

// threads is how many threads the program has.
func threads() uint64 { return kernel.Stats().Threads }
