//go:build !metal

package boot

import "os"

// commandLine of a hosted machine is that of its process: the same words that
// an image gets from its loader.
func commandLine() []string { return os.Args[1:] }

func lineTruncated() bool { return false }
