//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
)

// Regular files that no path leads to.

// openNameless is open(2) with O_TMPFILE: a file in a folder without a name there.
func openNameless(dir int32, path []byte, flags, mode uint64) uint64 {
	if flags&syscall.O_ACCMODE == syscall.O_RDONLY {
		return errno(eINVAL)
	}
	e := walkPath(&walk, dir, path, ramfs.Follow)
	switch {
	case e != 0:
		return errno(e)
	case walk.Node == 0:
		return errno(syscall.ENOENT)
	case walk.Node.Kind() != syscall.S_IFDIR:
		return errno(syscall.ENOTDIR)
	}
	return openNew(syscall.S_IFREG|uint32(mode)&0o7777&^umask, uint32(flags)&statusFlags)
}

// openNew opens a new file that no path leads to.
func openNew(mode, flags uint32) uint64 {
	n, e := ramfs.New(mode)
	if e != 0 {
		return errno(e)
	}
	fd := openHeld(n, fileRegular, flags)
	n.Release()
	return fd
}

// memfdCreate is memfd_create(2). The name is for people who debug, and is not kept.
func memfdCreate(flags uint64) uint64 {
	const closeOnExec, allowSealing, noExecSeal, exec = 1, 2, 8, 16
	if flags&^(closeOnExec|noExecSeal|exec) != 0 {
		return errno(eINVAL) // sealing among them: files here have no seals
	}
	status := uint32(syscall.O_RDWR)
	if flags&closeOnExec != 0 {
		status |= syscall.O_CLOEXEC
	}
	return openNew(syscall.S_IFREG|0o777, status)
}
