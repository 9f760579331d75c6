//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/kernel/ramfs"
	"nuos/mm"
)

// Open files: what open, socket and the like make. They are a static array and
// refer to each other by index. Descriptors are in descriptor.go.

const maxFiles = 8192

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
	filePipe // object: the pipe's index
	fileEpoll
	fileSocket // object: the socket's index
	fileUnix   // object: the socket's index in package unix
	fileTimer  // object: the timer's index
	fileInotify
)

type file struct {
	kind      fileKind
	refs      int32  // descriptors, and messages that carry it
	flags     uint32 // O_NONBLOCK, access mode and the like
	object    int32
	node      ramfs.Node // held; 0 if it is not in the file system
	offset    int64
	locked    uint8    // see lockfile.go
	count     uint64   // of an eventfd or a timer; of an end of a pipe, see pipe.go; an inotify queue; of a socket, see sockettimeout.go
	semaphore bool     // of an eventfd
	waiters   waitList // threads in read, write or, for an epoll file, in epoll_wait
	items     int32    // epoll items that watch this file
	members   int32    // of an epoll file: the newest of its items
	readyList itemList // of an epoll file
	nextEnd   int32    // file and 1: of the same pipe
	opening   bool     // an end of a FIFO that waits for another
}

var (
	files    [maxFiles]file
	nextFile int32
)

// allocFile takes a free file, -1 if there is none.
func allocFile(kind fileKind, object int32, flags uint32) int32 {
	for range maxFiles {
		i := nextFile
		nextFile = (nextFile + 1) % maxFiles
		if files[i].kind == fileFree {
			files[i] = file{kind: kind, object: object, flags: flags &^ syscall.O_CLOEXEC}
			return i
		}
	}
	return -1
}

// newFile opens a descriptor for a new file. O_CLOEXEC among the flags is the
// descriptor's.
func newFile(kind fileKind, flags uint32) uint64 { return newObject(kind, 0, flags) }

func newObject(kind fileKind, object int32, flags uint32) uint64 {
	f := allocFile(kind, object, flags)
	if f < 0 {
		return errno(syscall.ENFILE)
	}
	fd := openFD(f, 0, flags&syscall.O_CLOEXEC != 0)
	if int64(fd) < 0 {
		files[f].kind = fileFree
	}
	return fd
}

// fileIndex is the inverse of &files[i].
func fileIndex(f *file) int32 {
	return int32((uintptr(unsafe.Pointer(f)) - uintptr(unsafe.Pointer(&files))) / unsafe.Sizeof(*f))
}

// closeFile ends a file that nothing refers to.
func (c *cpu) closeFile(t *thread, f *file) {
	switch f.kind {
	case fileSocket:
		c.closeSocket(t, f)
	case fileUnix:
		closeUnix(f)
	case filePipe:
		closePipeEnd(f)
	case fileEpoll:
		epollClose(f)
	case fileTimer:
		closeTimer(f)
	case fileInotify:
		queueOf(f).Close()
	}
	for f.waiters.first != 0 {
		wakeWaiter(f)
	}
	if f.node != 0 {
		f.tellClosed()
		f.unlock()
		f.node.Release()
	}
	f.kind = fileFree
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
	case filePipe:
		return c.readPipe(t, f, buf, n)
	case fileSocket, fileUnix:
		if n == 0 {
			return 0 // even if it is not connected
		}
		return c.socketCall(t, syscall.SYS_READ)
	case fileConsole, fileNull:
		return 0 // nobody types: end of file
	case fileRandom:
		return getrandom(buf, n)
	case fileZero, fileFull:
		return readZeros(buf, n)
	case fileRegular:
		return f.readNext(buf, n)
	case fileTimer:
		return c.readTimer(t, f, buf, n)
	case fileInotify:
		return c.readInotify(t, f, buf, n)
	case fileDir:
		return errno(syscall.EISDIR)
	case fileEpoll:
		return errno(eINVAL)
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
	case fileNull, fileZero:
		return n
	case fileRandom:
		return mixUser(buf, min(n, mm.PageSize), 0)
	case fileFull:
		return errno(syscall.ENOSPC)
	case fileRegular:
		return f.writeNext(buf, n)
	case fileEvent:
		return c.writeEvent(t, f, buf, n)
	case filePipe:
		return c.writePipe(t, f, buf, n)
	case fileSocket, fileUnix:
		return c.socketCall(t, syscall.SYS_WRITE)
	case fileEpoll, fileTimer:
		return errno(eINVAL)
	}
	return errno(eBADF)
}

var zeroPage [4096]byte

// writeAll is write(2). What goes to the console is written to the end, a chunk at a
// time: in between the thread is back at its SYSCALL instruction, so that the lock is
// free and whatever is pending gets its turn. The Go runtime does not write the rest of
// a message that was cut off.
func (c *cpu) writeAll(t *thread, fd int32, buf, n uint64) uint64 {
	f := openFile(fd)
	if f == nil || f.kind != fileConsole {
		return t.wrote(c.write(t, fd, buf, n))
	}
	r := writeConsole(buf+t.written, n-t.written)
	if int64(r) < 0 {
		return t.wrote(r)
	}
	if t.written += r; t.written < n {
		t.ip -= 2
		return t.nr
	}
	return t.wrote(0)
}

// wrote is the result of a write whose last part has the result r.
func (t *thread) wrote(r uint64) uint64 {
	if t.written != 0 {
		r, t.written = t.written, 0
	}
	return r
}

// readZeros reads at most a page; the program reads the rest with another call.
func readZeros(buf, n uint64) uint64 {
	n = min(n, uint64(len(zeroPage)))
	if !CopyOut(uintptr(buf), zeroPage[:n]) {
		return errno(eFAULT)
	}
	return n
}

// writeConsole prints at most one chunk.
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

// wakeWaiter has the first thread that waits for the file make its call again, but for
// those whose wait has just ended for another reason.
func wakeWaiter(f *file) {
	for f.waiters.first != 0 {
		t := threadAt(f.waiters.first)
		f.waiters.remove(t)
		if t.task.Claim() {
			t.retry = true
			unblock(t)
			return
		}
	}
}

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
	find("/dev/console")
	fd := openHeld(walk.Node, fileConsole, syscall.O_RDWR)
	fcntl(int32(fd), syscall.F_DUPFD, 0)
	fcntl(int32(fd), syscall.F_DUPFD, 0)
}
