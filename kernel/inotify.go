//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
)

// inotify(7): queues of events of files, which ramfs keeps, behind descriptors. Reads
// and writes through FIFOs and devices are not told.

// queueOf is the queue behind f, which is a fileInotify.
func queueOf(f *file) ramfs.Queue { return ramfs.Queue(f.count) }

// inotifyInit is inotify_init1(2).
func inotifyInit(flags uint64) uint64 {
	if flags&^(syscall.O_NONBLOCK|syscall.O_CLOEXEC) != 0 {
		return errno(eINVAL)
	}
	fd := newFile(fileInotify, uint32(flags))
	if f := fileOf(int32(fd)); f != nil {
		q, e := ramfs.NewQueue(uint64(fileIndex(f)))
		if e != 0 {
			f.kind = fileEvent // that has nothing to close
			thisCPU().closeFD(nil, int32(fd))
			return errno(e)
		}
		f.count = uint64(q)
	}
	return fd
}

// eventsQueued is told by ramfs that the queue of a file has an event.
func eventsQueued(file uint64) { notify(&files[file], syscall.EPOLLIN) }

// inotifyAddWatch is inotify_add_watch(2).
func inotifyAddWatch(fd int32, addr, mask uint64) uint64 {
	m := uint32(mask)
	f := openFile(fd)
	switch {
	case m&ramfs.InAny == 0:
		return errno(eINVAL)
	case f == nil:
		return errno(eBADF)
	case m&ramfs.InMaskAdd != 0 && m&ramfs.InMaskCreate != 0 || f.kind != fileInotify:
		return errno(eINVAL)
	}
	n, e := nodeAt(atFDCWD, addr, followUnless(m&ramfs.InDontFollow != 0))
	if e == 0 && m&ramfs.InOnlyFolder != 0 && n.Kind() != syscall.S_IFDIR {
		e = syscall.ENOTDIR
	}
	if e != 0 {
		return errno(e)
	}
	wd, e := queueOf(f).Watch(n, m)
	if e != 0 {
		return errno(e)
	}
	return uint64(wd)
}

// inotifyRmWatch is inotify_rm_watch(2).
func inotifyRmWatch(fd, wd int32) uint64 {
	f := openFile(fd)
	switch {
	case f == nil:
		return errno(eBADF)
	case f.kind != fileInotify:
		return errno(eINVAL)
	}
	return errno(queueOf(f).Unwatch(wd))
}

func (c *cpu) readInotify(t *thread, f *file, buf, n uint64) uint64 {
	done, e := queueOf(f).Read(uintptr(buf), uintptr(n))
	switch {
	case e == eAGAIN:
		return c.waitFor(t, f)
	case e != 0:
		return errno(e)
	}
	return uint64(done)
}

// tellClosed tells of the end of an open file.
func (f *file) tellClosed() {
	switch {
	case f.node == 0 || f.kind == filePath || f.flags&oPath != 0:
	case f.flags&syscall.O_ACCMODE == syscall.O_RDONLY:
		f.node.Event(ramfs.InCloseNowrite)
	default:
		f.node.Event(ramfs.InCloseWrite)
	}
}
