//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
)

// The folders of /proc that follow what is open and what runs: fd, with a link
// for each descriptor, and task, with a folder for each thread. They are brought
// up to date when somebody looks.

// Device numbers of the two.
const (
	liveDescriptors = 1 + iota
	liveThreads
	liveThreadSelf
)

// taskFolder is task.
var taskFolder ramfs.Node

func makeLiveFolders() {
	addLive("fd", syscall.S_IFDIR|0o555, liveDescriptors, 0)
	taskFolder = addLive("task", syscall.S_IFDIR|0o555, liveThreads, 0)
	here := int32(atFDCWD)
	addLiveTo("/proc", "thread-self", syscall.S_IFLNK|0o777, liveThreadSelf, 0)
	addLive("cwd", syscall.S_IFLNK|0o777, liveDescriptors, uint64(uint32(here)))
}

func addLive(name string, mode, number uint32, object uint64) ramfs.Node {
	return addLiveTo(processFolder, name, mode, number, object)
}

func addLiveTo(folder, name string, mode, number uint32, object uint64) ramfs.Node {
	var b [16]byte
	find(folder)
	n, _ := walk.Node.Add(b[:copy(b[:], name)], mode, number, object)
	return n
}

// addThreadFile makes file i of generated in the folder of the first thread, or
// of the process, which has the same.
func addThreadFile(folder string, i int) {
	find(folder)
	addThreadFileTo(walk.Node, i, processID)
}

func addThreadFileTo(folder ramfs.Node, i int, tid int32) {
	var b [8]byte
	name := b[:copy(b[:], generated[i].name)]
	folder.Add(name, syscall.S_IFREG|0o444, uint32(i)+1, uint64(tid))
}

// refreshFolder brings one of the folders up to date: entries whose descriptor or
// thread is gone go, and new ones come. What there is no memory for is missing.
func refreshFolder(folder ramfs.Node) {
	descriptors := folder.Device() == liveDescriptors
	for cookie := int64(2); ; { // behind "." and ".."
		e, ok := folder.Next(cookie)
		if !ok {
			break
		}
		cookie = e.Cookie
		if id := int32(*e.Node.Object()); descriptors && fileOf(id) == nil || !descriptors && threadAt(id) == nil {
			folder.Drop(e.Name)
		}
	}
	var digits [20]byte
	if descriptors {
		for fd := range fds {
			if fds[fd] == 0 {
				continue
			}
			if name := formatDecimal(&digits, uint64(fd)); folder.Find(name) == 0 {
				folder.Add(name, syscall.S_IFLNK|0o700, liveDescriptors, uint64(fd))
			}
		}
		return
	}
	for tid := int32(1); tid < maxThreads; tid++ {
		if threadAt(tid) == nil {
			continue
		}
		name := formatDecimal(&digits, uint64(tid))
		if folder.Find(name) != 0 {
			continue
		}
		if n, e := folder.Add(name, syscall.S_IFDIR|0o555, 0, uint64(tid)); e == 0 {
			for i := range generated {
				if generated[i].name[0] != '/' {
					addThreadFileTo(n, i, tid)
				}
			}
		}
	}
}

func formatDecimal(digits *[20]byte, v uint64) []byte {
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			return digits[i:]
		}
	}
}

// jump is where the link of a descriptor, cwd or thread-self leads.
func jump(link ramfs.Node) ramfs.Node {
	if link.Device() == liveThreadSelf {
		refreshFolder(taskFolder)
		var digits [20]byte
		return taskFolder.Find(formatDecimal(&digits, uint64(threadOn(thisCPU()).tid)))
	}
	fd := int32(*link.Object())
	if fd == atFDCWD {
		return workingFolder
	}
	if f := fileOf(fd); f != nil {
		return f.node
	}
	return 0
}

// targetOf is what readlink(2) says of such a link: a path, or what Linux calls
// things that have none.
func targetOf(link ramfs.Node) []byte {
	r := &theReport
	*r = report{}
	if link.Device() == liveThreadSelf {
		r.text("1/task/")
		r.decimal(uint64(threadOn(thisCPU()).tid))
		return r.buffer[:r.used]
	}
	n := jump(link)
	if n != 0 && (n.Kind() != syscall.S_IFIFO || !n.Removed()) {
		at, e := n.NameOf(pathBuffer[:])
		if e == 0 {
			return pathBuffer[at:]
		}
		r.text("/ (deleted)")
		return r.buffer[:r.used]
	}
	f := fileOf(int32(*link.Object()))
	if f == nil {
		return nil
	}
	switch f.kind {
	case fileEvent:
		r.text("anon_inode:[eventfd]")
	case fileEpoll:
		r.text("anon_inode:[eventpoll]")
	case fileTimer:
		r.text("anon_inode:[timerfd]")
	case fileInotify:
		r.text("anon_inode:inotify")
	default:
		var s syscall.Stat_t
		f.stat(&s)
		if f.kind == fileSocket {
			r.text("socket:[")
		} else {
			r.text("pipe:[")
		}
		r.decimal(s.Ino)
		r.byte(']')
	}
	return r.buffer[:r.used]
}
