//go:build metal

package kernel

import "syscall"

// Descriptors: the program's numbers for open files, several for one after dup,
// and the calls that are about them rather than about files.

const maxFDs = 8192

var (
	fds     [maxFDs]int32       // index of the file and 1, 0 if not open
	cloexec [maxFDs / 64]uint64 // FD_CLOEXEC, by bit: no program is ever executed, but programs ask
	firstFD int32               // no descriptor below is free

	// openLimit is the soft limit RLIMIT_NOFILE: no descriptor from there on
	// is opened.
	openLimit int32 = maxFDs
)

// openFD opens the lowest free descriptor that is at least from for a file.
func openFD(f int32, from int32, closeOnExec bool) uint64 {
	for fd := max(from, firstFD); fd < openLimit; fd++ {
		if fds[fd] == 0 {
			if fd == firstFD {
				firstFD++
			}
			fds[fd] = f + 1
			setCloexec(fd, closeOnExec)
			files[f].refs++
			return uint64(fd)
		}
	}
	return errno(syscall.EMFILE)
}

//go:noinline
func setCloexec(fd int32, on bool) {
	cloexec[fd/64] &^= 1 << uint(fd%64)
	if on {
		cloexec[fd/64] |= 1 << uint(fd%64)
	}
}

// fileOf returns the file of a descriptor, nil if it is not open. It has a hundred
// callers, of which none is short of the time that a call takes.
//
//go:noinline
func fileOf(fd int32) *file {
	if fd < 0 || fd >= maxFDs || fds[fd] == 0 {
		return nil
	}
	return &files[fds[fd]-1]
}

// openFile returns the file of a descriptor that can be used for more than to name
// a file, as one opened with O_PATH cannot.
//
//go:noinline
func openFile(fd int32) *file {
	if f := fileOf(fd); f != nil && f.kind != filePath {
		return f
	}
	return nil
}

func (c *cpu) closeFD(t *thread, fd int32) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	fds[fd] = 0
	firstFD = min(firstFD, fd)
	epollForgetFD(f, fd)
	c.releaseFile(t, f)
	return 0
}

// releaseFile takes one reference off a file and closes it with the last.
func (c *cpu) releaseFile(t *thread, f *file) {
	if f.refs--; f.refs == 0 {
		c.closeFile(t, f)
	}
}

func fcntl(fd int32, op, arg uint64) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	switch op {
	case syscall.F_DUPFD, syscall.F_DUPFD_CLOEXEC:
		if arg >= maxFDs {
			return errno(eINVAL)
		}
		return openFD(fileIndex(f), int32(arg), op == syscall.F_DUPFD_CLOEXEC)
	case syscall.F_GETFD:
		return cloexec[fd/64] >> uint(fd%64) & syscall.FD_CLOEXEC
	case syscall.F_SETFD:
		setCloexec(fd, arg&syscall.FD_CLOEXEC != 0)
		return 0
	case syscall.F_GETFL:
		return uint64(f.flags)
	case syscall.F_SETFL:
		f.flags = f.flags&^settableFlags | uint32(arg)&settableFlags
		return 0
	case fSetPipeSize, fGetPipeSize:
		return pipeSizeOf(f, op, arg)
	case syscall.F_GETLK, syscall.F_SETLK, syscall.F_SETLKW, 36, 37, 38: // the last three are F_OFD_...
		return posixLock(op, arg)
	}
	return errno(eINVAL)
}

// dup2 is dup2(2), which leaves a descriptor that is its own copy alone.
func (c *cpu) dup2(t *thread, from, to int32) uint64 {
	if from == to && fileOf(from) != nil {
		return uint64(to)
	}
	return c.dup3(t, from, to, 0)
}

func (c *cpu) dup3(t *thread, from, to int32, flags uint64) uint64 {
	if flags&^syscall.O_CLOEXEC != 0 || from == to && fileOf(from) != nil {
		return errno(eINVAL)
	}
	f := fileOf(from)
	if f == nil || to < 0 || to >= openLimit {
		return errno(eBADF)
	}
	if fds[to] != 0 {
		c.closeFD(t, to)
	}
	return openFD(fileIndex(f), to, flags != 0)
}

// closeRange is close_range(2).
func (c *cpu) closeRange(t *thread, first, last, flags uint64) uint64 {
	const unshare, onExec = 2, 4
	if flags&^(unshare|onExec) != 0 || first > last {
		return errno(eINVAL)
	}
	for fd := first; fd <= last && fd < maxFDs; fd++ {
		switch {
		case fds[fd] == 0:
		case flags&onExec != 0:
			setCloexec(int32(fd), true)
		default:
			c.closeFD(t, int32(fd))
		}
	}
	return 0
}

func (c *cpu) ioctl(t *thread, fd int32, op, arg uint64) uint64 {
	const fioNRead, fioNBIO, fioCLEX, fioNCLEX = 0x541B, 0x5421, 0x5451, 0x5450
	f := fileOf(fd)
	switch {
	case f == nil || f.kind == filePath:
		return errno(eBADF)
	case op == fioCLEX || op == fioNCLEX:
		setCloexec(fd, op == fioCLEX)
		return 0
	case op == fioNBIO:
		on, ok := loadUser32(arg)
		if !ok {
			return errno(eFAULT)
		}
		f.flags &^= syscall.O_NONBLOCK
		if on != 0 {
			f.flags |= syscall.O_NONBLOCK
		}
		return 0
	case f.kind == fileSocket:
		return c.socketCall(t, syscall.SYS_IOCTL)
	case f.kind == fileUnix:
		return c.unixCall(t, f, syscall.SYS_IOCTL)
	case f.kind == fileRandom:
		return randomControl(op, arg)
	case op == fioNRead && (f.kind == filePipe || f.kind == fileRegular || f.kind == fileInotify):
		n := uint64(0)
		switch f.kind {
		case filePipe:
			n = pipes[f.object].used
		case fileInotify:
			n = uint64(queueOf(f).Bytes())
		default:
			n = uint64(f.node.Size() - f.offset)
		}
		if !storeUser32(arg, uint32(n)) {
			return errno(eFAULT)
		}
		return 0
	}
	return errno(syscall.ENOTTY)
}
