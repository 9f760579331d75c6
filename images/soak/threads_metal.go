//go:build metal

package main

import "nuos/kernel"

// threads is how many frames threads take, one each.
func threads() uint64 { return kernel.Stats().Threads }
