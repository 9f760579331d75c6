//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
)

// Extended attributes, which files here have none of: programs take EOPNOTSUPP, which
// many file systems of Linux answer, and do without.

// xattrAt is any of the calls on a path; list says that the names are asked for.
func xattrAt(addr uint64, mode ramfs.Mode, list bool) uint64 {
	if _, e := nodeAt(atFDCWD, addr, mode); e != 0 {
		return errno(e)
	}
	if list {
		return 0
	}
	return errno(syscall.EOPNOTSUPP)
}

// fxattr is any of those on a descriptor.
func fxattr(fd int32, list bool) uint64 {
	switch {
	case openFile(fd) == nil:
		return errno(eBADF)
	case list:
		return 0
	}
	return errno(syscall.EOPNOTSUPP)
}
