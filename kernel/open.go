//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
)

// Opening files, and what is done to open ones.

// statusFlags are the flags of open(2) that stay with a file, and settableFlags
// those that fcntl(2) changes.
const (
	statusFlags   = syscall.O_ACCMODE | settableFlags | syscall.O_SYNC | syscall.O_CLOEXEC | oPath
	settableFlags = syscall.O_APPEND | syscall.O_NONBLOCK | syscall.O_DIRECT | syscall.O_NOATIME
	oPath         = 0x200000
	oTmpFile      = 0x400000 // without O_DIRECTORY
)

func (c *cpu) openat(t *thread, dir int32, addr, flags, mode uint64) uint64 {
	if t.owns != 0 {
		return c.finishOpen(t, flags)
	}
	path, e := loadPath(addr, &pathBuffer)
	if e != 0 {
		return errno(e)
	}
	if flags&oTmpFile != 0 {
		return openNameless(dir, path, flags, mode)
	}
	how := followUnless(flags&syscall.O_NOFOLLOW != 0)
	if flags&oPath != 0 {
		flags &= oPath | syscall.O_DIRECTORY | syscall.O_NOFOLLOW | syscall.O_CLOEXEC
	}
	if flags&syscall.O_CREAT != 0 {
		if flags&syscall.O_DIRECTORY != 0 {
			return errno(eINVAL)
		}
		how = ramfs.Create
		if flags&(syscall.O_EXCL|syscall.O_NOFOLLOW) != 0 {
			how = ramfs.Parent
		}
	}
	if e := walkPath(&walk, dir, path, how); e != 0 {
		return errno(e)
	}
	n := walk.Node
	made := false
	switch {
	case n == 0 && flags&syscall.O_CREAT == 0:
		return errno(syscall.ENOENT)
	case n == 0:
		if walk.Slash {
			return errno(syscall.EISDIR)
		}
		if n, e = walk.Make(syscall.S_IFREG | uint32(mode)&0o7777&^umask); e != 0 {
			return errno(e)
		}
		made = true
		flags &^= syscall.O_TRUNC
	case flags&(syscall.O_CREAT|syscall.O_EXCL) == syscall.O_CREAT|syscall.O_EXCL:
		return errno(syscall.EEXIST)
	}
	fd := c.openNode(t, n, flags)
	if int64(fd) < 0 && made {
		walk.Unlink()
	}
	return fd
}

// openNode opens what is there.
func (c *cpu) openNode(t *thread, n ramfs.Node, flags uint64) uint64 {
	status := uint32(flags & statusFlags)
	writes := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	kind := fileRegular
	switch n.Kind() {
	case syscall.S_IFLNK:
		switch {
		case flags&oPath != 0:
		case n.Device() != 0:
			return errno(syscall.ENXIO) // the descriptor of a socket, say
		default:
			return errno(syscall.ELOOP)
		}
	case syscall.S_IFDIR:
		if writes || flags&(syscall.O_CREAT|syscall.O_TRUNC) != 0 {
			return errno(syscall.EISDIR)
		}
		kind = fileDir
	case syscall.S_IFCHR:
		switch n.Device() {
		case devNull:
			kind = fileNull
		case devZero:
			kind = fileZero
		case devFull:
			kind = fileFull
		case devRandom, devURandom:
			kind = fileRandom
		case devConsole:
			kind = fileConsole
		default:
			return errno(syscall.ENXIO) // of devTTY too: the process has no terminal
		}
	case syscall.S_IFREG:
		if n.Device() != 0 && flags&oPath == 0 {
			return openGenerated(n, status)
		}
	case syscall.S_IFIFO:
		if flags&(oPath|syscall.O_DIRECTORY) == 0 {
			return c.openFIFO(t, n, status)
		}
	default:
		if flags&oPath == 0 {
			return errno(syscall.ENXIO)
		}
	}
	if flags&syscall.O_DIRECTORY != 0 && kind != fileDir {
		return errno(syscall.ENOTDIR)
	}
	if flags&oPath != 0 && kind != fileDir {
		kind = filePath
	}
	fd := openHeld(n, kind, status)
	if int64(fd) >= 0 && kind == fileRegular && flags&syscall.O_TRUNC != 0 {
		setSize(n, 0)
	}
	return fd
}

// openHeld opens a descriptor for a file that holds n.
func openHeld(n ramfs.Node, kind fileKind, flags uint32) uint64 {
	fd := newFile(kind, flags)
	if int64(fd) >= 0 {
		n.Hold()
		files[fds[fd]-1].node = n
		if flags&oPath == 0 {
			n.Event(ramfs.InOpen)
		}
	}
	return fd
}

// transferLimit is how many bytes one read or write of a file moves at most, as
// it is done with the kernel's lock held; programs go on with the rest.
const transferLimit = 1 << 20

// readAt and writeAt move bytes between a regular file and memory.
func (f *file) readAt(offset int64, buf, count uint64) uint64 {
	if f.flags&syscall.O_ACCMODE == syscall.O_WRONLY {
		return errno(eBADF)
	}
	n, e := f.node.Read(offset, uintptr(buf), uintptr(min(count, transferLimit)))
	if e != 0 {
		return errno(e)
	}
	return uint64(n)
}

func (f *file) writeAt(offset int64, buf, count uint64) uint64 {
	if f.flags&syscall.O_ACCMODE == syscall.O_RDONLY {
		return errno(eBADF)
	}
	n, e := f.node.Write(offset, uintptr(buf), uintptr(min(count, transferLimit)))
	if e != 0 {
		return errno(e)
	}
	return uint64(n)
}

// readNext and writeNext do so where the file stands.
func (f *file) readNext(buf, count uint64) uint64 {
	r := f.readAt(f.offset, buf, count)
	if int64(r) > 0 {
		f.offset += int64(r)
	}
	return r
}

func (f *file) writeNext(buf, count uint64) uint64 {
	at := f.offset
	if f.flags&syscall.O_APPEND != 0 {
		at = f.node.Size()
	}
	r := f.writeAt(at, buf, count)
	if int64(r) > 0 {
		f.offset = at + int64(r)
	}
	return r
}

func (c *cpu) pread(t *thread, fd int32, buf, count uint64, offset int64) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil || f.kind == filePath:
		return errno(eBADF)
	case offset < 0:
		return errno(eINVAL)
	case f.kind == fileRegular:
		return f.readAt(offset, buf, count)
	case f.kind == fileDir:
		return errno(syscall.EISDIR)
	case f.kind == fileNull || f.kind == fileZero || f.kind == fileFull || f.kind == fileRandom:
		return c.read(t, fd, buf, count)
	}
	return errno(syscall.ESPIPE)
}

func (c *cpu) pwrite(t *thread, fd int32, buf, count uint64, offset int64) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil || f.kind == filePath || f.kind == fileDir:
		return errno(eBADF)
	case offset < 0:
		return errno(eINVAL)
	case f.kind == fileRegular && f.flags&syscall.O_APPEND != 0:
		return f.writeAt(f.node.Size(), buf, count) // as Linux does, whatever POSIX says
	case f.kind == fileRegular:
		return f.writeAt(offset, buf, count)
	case f.kind == fileNull || f.kind == fileZero || f.kind == fileFull || f.kind == fileRandom:
		return c.write(t, fd, buf, count)
	}
	return errno(syscall.ESPIPE)
}

func lseek(fd int32, offset int64, whence uint64) uint64 {
	f := fileOf(fd)
	if f == nil || f.kind == filePath {
		return errno(eBADF)
	}
	switch f.kind {
	case fileRegular, fileDir:
	case fileNull, fileZero, fileFull, fileRandom, fileEvent, fileEpoll, fileTimer, fileInotify:
		return 0
	default:
		return errno(syscall.ESPIPE)
	}
	const seekData, seekHole = 3, 4
	size := f.node.Size()
	switch whence {
	case 0:
	case 1:
		offset += f.offset
	case 2:
		offset += size
	case seekData, seekHole:
		// All of a file is data, as a file system may say.
		if offset < 0 || offset >= size {
			return errno(syscall.ENXIO)
		}
		if whence == seekHole {
			offset = size
		}
	default:
		return errno(eINVAL)
	}
	if offset < 0 {
		return errno(eINVAL)
	}
	f.offset = offset
	return uint64(offset)
}

func ftruncate(fd int32, size int64) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil || f.kind == filePath:
		return errno(eBADF)
	case f.kind != fileRegular || f.flags&syscall.O_ACCMODE == syscall.O_RDONLY:
		return errno(eINVAL)
	}
	return errno(setSize(f.node, size))
}

func truncate(addr uint64, size int64) uint64 {
	n, e := nodeAt(atFDCWD, addr, ramfs.Follow)
	switch {
	case e != 0:
		return errno(e)
	case n.Kind() == syscall.S_IFDIR:
		return errno(syscall.EISDIR)
	case n.Kind() != syscall.S_IFREG:
		return errno(eINVAL)
	}
	return errno(setSize(n, size))
}

// fsync has nothing to do: there is no disk.
func fsync(fd int32) uint64 {
	switch f := fileOf(fd); {
	case f == nil || f.kind == filePath:
		return errno(eBADF)
	case f.kind != fileRegular && f.kind != fileDir:
		return errno(eINVAL)
	}
	return 0
}

// fallocate has no room to set aside: memory is given to whoever writes first.
// Programs take EOPNOTSUPP, which many file systems of Linux answer, and do without.
func fallocate(fd int32, offset, length int64) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil || f.kind == filePath || f.flags&syscall.O_ACCMODE == syscall.O_RDONLY:
		return errno(eBADF)
	case offset < 0 || length <= 0:
		return errno(eINVAL)
	case f.kind != fileRegular:
		return errno(syscall.ENODEV)
	}
	return errno(syscall.EOPNOTSUPP)
}
