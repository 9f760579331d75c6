//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/kernel/ramfs"
)

// Open files and descriptors. A file is what open, socket and the like make;
// descriptors are the program's numbers for it, several after dup. Both are
// static arrays, and files refer to each other by index.

const (
	maxFDs   = 8192
	maxFiles = 8192
)

type fileKind uint8

const (
	fileFree fileKind = iota
	fileConsole
	fileNull
	fileRandom
	fileZero
	fileFull
	fileRegular
	fileDir
	filePath // opened with O_PATH
	fileEvent
	filePipeRead  // object: pipe
	filePipeWrite // object: pipe
	fileEpoll
	fileSocket // object: the socket's index
)

type file struct {
	kind      fileKind
	refs      int32  // descriptors
	flags     uint32 // O_NONBLOCK, access mode and the like
	object    int32
	node      ramfs.Node // held; 0 if it is not in the file system
	offset    int64
	locked    uint8    // see lockfile.go
	count     uint64   // of an eventfd
	semaphore bool     // of an eventfd
	waiters   waitList // threads in read, write or, for an epoll file, in epoll_wait
	items     int32    // epoll items that watch this file
	readyList itemList // of an epoll file
}

var (
	files    [maxFiles]file
	fds      [maxFDs]int32 // index of the file and 1, 0 if not open
	firstFD  int32         // no descriptor below is free
	nextFile int32
)

// openFD opens the lowest free descriptor that is at least from for a file.
func openFD(f int32, from int32) uint64 {
	for fd := max(from, firstFD); fd < maxFDs; fd++ {
		if fds[fd] == 0 {
			if fd == firstFD {
				firstFD++
			}
			fds[fd] = f + 1
			files[f].refs++
			return uint64(fd)
		}
	}
	return errno(syscall.EMFILE)
}

// fileOf returns the file of a descriptor, nil if it is not open.
func fileOf(fd int32) *file {
	if fd < 0 || fd >= maxFDs || fds[fd] == 0 {
		return nil
	}
	return &files[fds[fd]-1]
}

// allocFile takes a free file, -1 if there is none.
func allocFile(kind fileKind, object int32, flags uint32) int32 {
	for range maxFiles {
		i := nextFile
		nextFile = (nextFile + 1) % maxFiles
		if files[i].kind == fileFree {
			files[i] = file{kind: kind, object: object, flags: flags}
			return i
		}
	}
	return -1
}

// newFile opens a descriptor for a new file.
func newFile(kind fileKind, flags uint32) uint64 { return newObject(kind, 0, flags) }

func newObject(kind fileKind, object int32, flags uint32) uint64 {
	f := allocFile(kind, object, flags)
	if f < 0 {
		return errno(syscall.ENFILE)
	}
	fd := openFD(f, 0)
	if int64(fd) < 0 {
		files[f].kind = fileFree
	}
	return fd
}

// fileIndex is the inverse of &files[i].
func fileIndex(f *file) int32 {
	return int32((uintptr(unsafe.Pointer(f)) - uintptr(unsafe.Pointer(&files))) / unsafe.Sizeof(*f))
}

func (c *cpu) closeFD(t *thread, fd int32) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	fds[fd] = 0
	firstFD = min(firstFD, fd)
	epollForgetFD(f, fd)
	if f.refs--; f.refs > 0 {
		return 0
	}
	switch f.kind {
	case fileSocket:
		c.closeSocket(t, f)
	case filePipeRead, filePipeWrite:
		closePipeEnd(f)
	case fileEpoll:
		epollClose(fileIndex(f))
	}
	for f.waiters.first != 0 {
		wakeWaiter(f)
	}
	if f.node != 0 {
		f.unlock()
		f.node.Release()
	}
	f.kind = fileFree
	return 0
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
		return openFD(fileIndex(f), int32(arg))
	case syscall.F_GETFD:
		return syscall.FD_CLOEXEC // no program is ever executed
	case syscall.F_SETFD:
		return 0
	case syscall.F_GETFL:
		return uint64(f.flags)
	case syscall.F_SETFL:
		f.flags = f.flags&^settableFlags | uint32(arg)&settableFlags
		return 0
	case syscall.F_GETLK, syscall.F_SETLK, syscall.F_SETLKW, 36, 37, 38: // the last three are F_OFD_...
		return posixLock(op, arg)
	}
	return errno(eINVAL)
}

func (c *cpu) dupTo(t *thread, from, to int32) uint64 {
	f := fileOf(from)
	if f == nil || to < 0 || to >= maxFDs {
		return errno(eBADF)
	}
	if from == to {
		return uint64(to)
	}
	if fds[to] != 0 {
		c.closeFD(t, to)
	}
	return openFD(fileIndex(f), to)
}

func (c *cpu) ioctl(t *thread, fd int32) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil:
		return errno(eBADF)
	case f.kind == fileSocket:
		return c.socketCall(t, syscall.SYS_IOCTL)
	}
	return errno(syscall.ENOTTY)
}

// read is read(2).
func (c *cpu) read(t *thread, fd int32, buf, n uint64) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	switch f.kind {
	case fileEvent:
		return c.readEvent(t, f, buf, n)
	case filePipeRead:
		return c.readPipe(t, f, buf, n)
	case fileSocket:
		return c.socketCall(t, syscall.SYS_READ)
	case fileConsole, fileNull:
		return 0 // nobody types: end of file
	case fileRandom:
		return getrandom(buf, n)
	case fileZero, fileFull:
		return readZeros(buf, n)
	case fileRegular:
		return f.readNext(buf, n)
	case fileDir:
		return errno(syscall.EISDIR)
	}
	return errno(eBADF)
}

// write is write(2).
func (c *cpu) write(t *thread, fd int32, buf, n uint64) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	switch f.kind {
	case fileConsole:
		return writeConsole(buf, n)
	case fileNull, fileZero, fileRandom:
		return n
	case fileFull:
		return errno(syscall.ENOSPC)
	case fileRegular:
		return f.writeNext(buf, n)
	case fileEvent:
		return c.writeEvent(t, f, buf, n)
	case filePipeWrite:
		return c.writePipe(t, f, buf, n)
	case fileSocket:
		return c.socketCall(t, syscall.SYS_WRITE)
	}
	return errno(eBADF)
}

// vector is readv(2) and writev(2). For all but sockets it does the first
// piece that is not empty, which a caller must be prepared for.
func (c *cpu) vector(t *thread, nr uint64, fd int32, iov, count uint64) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	if f.kind == fileSocket {
		return c.socketCall(t, nr)
	}
	if count > 1024 {
		return errno(eINVAL)
	}
	for i := range count {
		base, ok := loadUser64(iov + i*16)
		size, ok2 := loadUser64(iov + i*16 + 8)
		switch {
		case !ok || !ok2:
			return errno(eFAULT)
		case size == 0:
			continue
		case nr == syscall.SYS_READV:
			return c.read(t, fd, base, size)
		}
		return c.write(t, fd, base, size)
	}
	return 0
}

var zeroPage [4096]byte

// readZeros reads at most a page; the program reads the rest with another call.
func readZeros(buf, n uint64) uint64 {
	n = min(n, uint64(len(zeroPage)))
	if !CopyOut(uintptr(buf), zeroPage[:n]) {
		return errno(eFAULT)
	}
	return n
}

// writeConsole prints at most one chunk; the program writes the rest with
// another call, so that the lock is not held for long.
func writeConsole(buf, n uint64) uint64 {
	var chunk [256]byte
	n = min(n, uint64(len(chunk)))
	if !CopyIn(chunk[:n], uintptr(buf)) {
		return errno(eFAULT)
	}
	printBytes(chunk[:n])
	return n
}

// waitFor blocks the thread until something happens to the file, and then
// makes the call again; EAGAIN if it must not wait.
func (c *cpu) waitFor(t *thread, f *file) uint64 {
	if f.flags&syscall.O_NONBLOCK != 0 {
		return errno(eAGAIN)
	}
	return c.wait(t, f)
}

// wait does so in any case.
func (c *cpu) wait(t *thread, f *file) uint64 {
	t.waitOn = uint64(fileIndex(f))
	f.waiters.append(t)
	c.block(t, waitFile, 0)
	return blocked
}

func wakeWaiter(f *file) {
	t := threadAt(f.waiters.first)
	f.waiters.remove(t)
	t.retry = true
	unblock(t)
}

func waitersRemove(t *thread) { files[t.waitOn].waiters.remove(t) }

// notify says that something has happened to the file that makes it ready for
// what mask says: waiting calls are made again, epoll items become ready.
func notify(f *file, mask uint32) {
	if f.kind != fileEpoll {
		for f.waiters.first != 0 {
			wakeWaiter(f)
		}
	}
	epollNotify(f, mask)
}

// openConsole gives the program its standard input, output and error.
func openConsole() {
	fd := newFile(fileConsole, syscall.O_RDWR)
	fcntl(int32(fd), syscall.F_DUPFD, 0)
	fcntl(int32(fd), syscall.F_DUPFD, 0)
}
