//go:build !metal

package main

// threads is how many frames threads take: none of the machine's, for they are Linux's.
func threads() uint64 { return 0 }
