//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/boot"
	"nuos/kernel/ramfs"
	"nuos/mm"
)

// The file system: what ramfs has in memory, filled from the boot archive, whose
// files are read in place until they are changed, and a few devices.

// maxPath is the longest path and its zero byte, as in Linux.
const maxPath = 4096

// Paths are looked up with the kernel's lock held, one call at a time, so what a
// lookup needs can be static: it is too large for the stack.
var (
	pathBuffer, pathBuffer2 [maxPath]byte
	walk, walk2             ramfs.Walk
	workingFolder           ramfs.Node
	umask                   uint32 = 0o022
)

// startFiles makes the file system. It is called before the Go runtime starts.
func startFiles() {
	if !ramfs.Start(ramfs.Memory{
		Alloc: allocPage, Free: freeFrames, Copy: copyBytes, Now: wallTime, Refresh: refreshFolder, Jump: jump, Queued: eventsQueued,
	}) {
		refuse("there is no memory for a file system")
	}
	startUnix()
	workingFolder = ramfs.Root()
	workingFolder.Hold()
	for _, name := range [...]string{"/bin", "/dev", "/dev/shm", "/etc", "/proc", "/proc/1", "/root", "/run", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/var", "/var/tmp"} {
		makeFolder(name)
	}
	for _, name := range [...]string{"/dev/shm", "/tmp", "/var/tmp"} {
		if find(name) {
			walk.Node.SetMode(syscall.S_ISVTX | 0o777)
		}
	}
	for _, d := range [...]struct {
		name   string
		number uint32
	}{
		{"/dev/null", devNull}, {"/dev/zero", devZero}, {"/dev/full", devFull}, {"/dev/random", devRandom},
		{"/dev/urandom", devURandom}, {"/dev/tty", devTTY}, {"/dev/console", devConsole},
	} {
		find(d.name)
		walk.MakeDevice(syscall.S_IFCHR|0o666, d.number)
	}
	startProc()
	for _, l := range [...]struct{ name, target string }{
		{"/dev/fd", "/proc/self/fd"}, {"/dev/stdin", "/proc/self/fd/0"},
		{"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
		{"/proc/self", "1"}, {"/proc/self/root", "/"},
	} {
		makeLink(l.name, l.target)
	}
	find("/proc/self/exe")
	walk.MakeLink(programName[:len(programName)-1])
	makeProgramFile()
	for _, f := range [...]struct{ name, content string }{
		{"/etc/group", "root:x:0:\nnogroup:x:65534:\n"},
		{"/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"},
		{"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
		{"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
	} {
		find(f.name)
		walk.MakeFixed(syscall.S_IFREG|0o644, uintptr(unsafe.Pointer(unsafe.StringData(f.content))), int64(len(f.content)))
	}
	mountArchive()
	enterFolder()
}

// Devices by Linux's numbers, as st_rdev has them: major << 8 | minor
// (Documentation/admin-guide/devices.txt).
const (
	devNull    = 1<<8 | 3
	devZero    = 1<<8 | 5
	devFull    = 1<<8 | 7
	devRandom  = 1<<8 | 8
	devURandom = 1<<8 | 9
	devTTY     = 5 << 8
	devConsole = 5<<8 | 1
)

func allocPage() (uintptr, bool) { return allocFrames(0) }

// find walks to a path of the kernel's own and reports whether it exists.
//
//go:noinline
func find(path string) bool {
	return walk.Go(ramfs.Root(), unsafe.Slice(unsafe.StringData(path), len(path)), ramfs.Parent) == 0 && walk.Node != 0
}

func makeFolder(path string) {
	if !find(path) {
		walk.MakeFolder(0o755)
	}
}

// mountArchive enters the files of the boot archive, a cpio file of the "new
// ASCII" format (cpio(5)): headers of 110 bytes with hexadecimal fields, names
// and contents padded to 4 bytes.
func mountArchive() {
	archive := bootArchive()
	if len(archive) == 0 {
		return
	}
	for at := uint64(0); ; {
		e, ok := cpioEntry(archive, at)
		if !ok {
			printString("nuos: the boot archive is damaged; files may be missing\n")
			return
		}
		if e.last {
			return
		}
		at = e.next
		if err := mountEntry(archive[e.name:e.name+e.nameLen], archive[e.data:e.data+e.dataLen], e.mode); err != 0 {
			printString("nuos: no room for the files of the boot archive; some are missing\n")
			return
		}
	}
}

// mountEntry enters one file of the archive. Folders that lead to it are made if
// the archive does not list them; what was there before gives way.
func mountEntry(name, data []byte, mode uint32) syscall.Errno {
	for i, b := range name {
		if b == '/' && i > 0 && walk.Go(ramfs.Root(), name[:i], ramfs.Parent) == 0 && walk.Node == 0 {
			if e := walk.MakeFolder(0o755); e != 0 {
				return e
			}
		}
	}
	if e := walk.Go(ramfs.Root(), name, ramfs.Parent); e != 0 {
		return 0 // a name that cannot be, such as one below a file
	}
	switch kind := mode & syscall.S_IFMT; {
	case kind == syscall.S_IFDIR && walk.Node == 0:
		return walk.MakeFolder(mode & 0o7777)
	case kind == syscall.S_IFDIR:
		walk.Node.SetMode(mode)
	case kind == syscall.S_IFREG || kind == syscall.S_IFLNK:
		if walk.Node != 0 && walk.Unlink() != 0 {
			return 0 // a folder stays
		}
		if kind == syscall.S_IFLNK {
			return walk.MakeLink(data)
		}
		return walk.MakeFixed(mode, uintptr(unsafe.Pointer(unsafe.SliceData(data))), int64(len(data)))
	}
	return 0
}

// enterFolder makes the boot parameter cwd the working folder.
func enterFolder() {
	const name = "cwd="
	for w := boot.Machine().Words(); w.Next(); {
		text := w.Text()
		if w.Kind() != boot.Parameter || len(text) < len(name) || string(text[:len(name)]) != name {
			continue
		}
		if e := changeFolder(ramfs.Root(), text[len(name):]); e != 0 {
			printString("nuos: the folder of the parameter cwd does not exist\n")
		}
	}
}

func changeFolder(at ramfs.Node, path []byte) syscall.Errno {
	if e := walk.Go(at, path, ramfs.Follow); e != 0 {
		return e
	}
	return setFolder(walk.Node)
}

func setFolder(n ramfs.Node) syscall.Errno {
	switch {
	case n == 0:
		return syscall.ENOENT
	case n.Kind() != syscall.S_IFDIR:
		return syscall.ENOTDIR
	}
	n.Hold()
	workingFolder.Release()
	workingFolder = n
	return 0
}

// loadPath copies a path in.
func loadPath(addr uint64, buf *[maxPath]byte) ([]byte, syscall.Errno) {
	for i := uint64(0); i < maxPath; {
		// As far as the page goes; the next one may not be there.
		part := min(mm.PageSize-(addr+i)%mm.PageSize, maxPath-i)
		if !copyBytes(uintptr(unsafe.Pointer(&buf[i])), uintptr(addr+i), uintptr(part)) {
			return nil, eFAULT
		}
		for end := i + part; i < end; i++ {
			if buf[i] == 0 {
				return buf[:i], 0
			}
		}
	}
	return nil, syscall.ENAMETOOLONG
}

const atFDCWD = -100

// folderOf is the folder that a path without a leading slash starts from.
func folderOf(fd int32) (ramfs.Node, syscall.Errno) {
	if fd == atFDCWD {
		return workingFolder, 0
	}
	f := fileOf(fd)
	switch {
	case f == nil:
		return 0, eBADF
	case f.kind != fileDir:
		return 0, syscall.ENOTDIR
	}
	return f.node, 0
}

// walkTo walks w to the path at addr.
func walkTo(w *ramfs.Walk, fd int32, addr uint64, mode ramfs.Mode) syscall.Errno {
	path, e := loadPath(addr, &pathBuffer)
	if e != 0 {
		return e
	}
	return walkPath(w, fd, path, mode)
}

func walkPath(w *ramfs.Walk, fd int32, path []byte, mode ramfs.Mode) syscall.Errno {
	at := ramfs.Root()
	if len(path) == 0 || path[0] != '/' {
		var e syscall.Errno
		if at, e = folderOf(fd); e != 0 {
			return e
		}
	}
	return w.Go(at, path, mode)
}

// nodeAt is the file that a path names.
func nodeAt(fd int32, addr uint64, mode ramfs.Mode) (ramfs.Node, syscall.Errno) {
	if e := walkTo(&walk, fd, addr, mode); e != 0 {
		return 0, e
	}
	if walk.Node == 0 {
		return 0, syscall.ENOENT
	}
	return walk.Node, 0
}

// Flags of calls whose names end in "at".
const (
	atSymlinkNofollow = 0x100
	atRemoveDir       = 0x200
	atSymlinkFollow   = 0x400
	atNoAutomount     = 0x800
	atEmptyPath       = 0x1000
	atSyncType        = 0x6000
)

func followUnless(nofollow bool) ramfs.Mode {
	if nofollow {
		return ramfs.NoFollow
	}
	return ramfs.Follow
}

// nodeAtFlags is nodeAt for a call that also takes a descriptor with an empty path.
func nodeAtFlags(fd int32, addr, flags uint64) (ramfs.Node, syscall.Errno) {
	if flags&atEmptyPath != 0 {
		if path, e := loadPath(addr, &pathBuffer); e != 0 {
			return 0, e
		} else if len(path) == 0 {
			return nodeOf(fd)
		}
	}
	return nodeAt(fd, addr, followUnless(flags&atSymlinkNofollow != 0))
}

// nodeOf is the file behind a descriptor; EINVAL if it has none in the file system.
func nodeOf(fd int32) (ramfs.Node, syscall.Errno) {
	if fd == atFDCWD {
		return workingFolder, 0
	}
	f := fileOf(fd)
	switch {
	case f == nil:
		return 0, eBADF
	case f.node == 0:
		return 0, eINVAL
	}
	return f.node, 0
}

// SetFile makes data readable as the file path, in the place of one of that name;
// /etc/resolv.conf is written this way. Data is copied. Goroutine context.
func SetFile(path string, data []byte) {
	syscall.RawSyscall6(nrSetFile, uintptr(unsafe.Pointer(unsafe.StringData(path))), uintptr(len(path)),
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), 0, 0)
}

func setFile(nameAddr, nameLen, dataAddr, dataLen uint64) uint64 {
	if nameLen > maxPath {
		return errno(syscall.ENAMETOOLONG)
	}
	path := pathBuffer[:nameLen]
	if !CopyIn(path, uintptr(nameAddr)) {
		return errno(eFAULT)
	}
	e := walk.Go(ramfs.Root(), path, ramfs.Parent)
	if e == 0 && walk.Node != 0 {
		e = walk.Unlink()
	}
	if e != 0 {
		return errno(e)
	}
	n, e := walk.Make(syscall.S_IFREG | 0o644)
	if e != 0 {
		return errno(e)
	}
	done, e := n.Write(0, uintptr(dataAddr), uintptr(dataLen))
	if e == 0 && uint64(done) < dataLen {
		e = syscall.ENOSPC
	}
	return errno(e)
}
