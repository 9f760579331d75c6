// Package boot is how a machine comes up: the entry code that a loader jumps
// to, the Info that all ways of booting converge on, the command line and its
// parameters. Its subpackage image writes the bootable file.
package boot
