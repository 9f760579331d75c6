//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/boot"
	"nuos/mm"
)

// The file system is the boot archive, read in place, plus a few devices and
// what SetFile adds. It is read-only to the program.

const maxNodes = 4096

// node is a file or a directory. Name and contents lie outside of Go's heap.
type node struct {
	name uintptr // without the leading slash
	size int32   // of the name
	mode uint32  // as in struct stat
	data uintptr
	len  int64
	own  int8 // data is our own: 1 and the order of its frames
}

var (
	nodes    [maxNodes]node
	numNodes int32
)

func (n *node) path() []byte { return unsafe.Slice((*byte)(pointer(n.name)), n.size) }

// mountArchive lists the boot archive, a cpio file of the "new ASCII" format
// (cpio(5)): headers of 110 bytes with hexadecimal fields, names and contents
// padded to 4 bytes.
func mountArchive() {
	a := boot.Machine().Archive
	if a.Size == 0 {
		return
	}
	archive := unsafe.Slice((*byte)(pointer(uintptr(mm.DirectArea.Base)+uintptr(a.Base))), a.Size)
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
		name := cleanPath(archive[e.name : e.name+e.nameLen])
		if len(name) == 0 || e.mode&syscall.S_IFMT != syscall.S_IFREG && e.mode&syscall.S_IFMT != syscall.S_IFDIR {
			continue
		}
		if numNodes == maxNodes {
			printString("nuos: the boot archive has too many files; some are missing\n")
			return
		}
		nodes[numNodes] = node{
			name: uintptr(unsafe.Pointer(unsafe.SliceData(name))), size: int32(len(name)), mode: e.mode,
			data: uintptr(unsafe.Pointer(unsafe.SliceData(archive))) + uintptr(e.data), len: int64(e.dataLen),
		}
		numNodes++
	}
}

// lookup finds a node by its clean path, -1 if there is none.
func lookup(path []byte) int32 {
	for i := range numNodes {
		if string(nodes[i].path()) == string(path) {
			return i
		}
	}
	return -1
}

// isDir reports whether some file is below path, as archives need not list
// their directories. The root is one.
func isDir(path []byte) bool {
	if len(path) == 0 {
		return true
	}
	for i := range numNodes {
		p := nodes[i].path()
		if len(p) > len(path) && p[len(path)] == '/' && string(p[:len(path)]) == string(path) {
			return true
		}
	}
	return false
}

// loadPath copies a path in and cleans it. The result lies in buf.
func loadPath(addr uint64, buf *[256]byte) ([]byte, syscall.Errno) {
	for i := range buf {
		if !copyBytes(uintptr(unsafe.Pointer(&buf[i])), uintptr(addr)+uintptr(i), 1) {
			return nil, eFAULT
		}
		if buf[i] == 0 {
			if i == 0 {
				return nil, syscall.ENOENT
			}
			return cleanPath(buf[:i]), 0
		}
	}
	return nil, syscall.ENAMETOOLONG
}

func openat(addr, flags uint64) uint64 {
	var buf [256]byte
	path, e := loadPath(addr, &buf)
	if e != 0 {
		return errno(e)
	}
	status := uint32(flags & (syscall.O_ACCMODE | syscall.O_NONBLOCK))
	switch string(path) {
	case "dev/null":
		return newFile(fileNull, status)
	case "dev/urandom", "dev/random":
		return newFile(fileRandom, status)
	case "dev/console", "dev/stdout", "dev/stderr", "dev/tty":
		return newFile(fileConsole, status)
	}
	i := lookup(path)
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY || flags&(syscall.O_TRUNC|syscall.O_CREAT) != 0 && i < 0 {
		return errno(syscall.EROFS)
	}
	if i >= 0 && nodes[i].mode&syscall.S_IFMT == syscall.S_IFREG {
		if flags&syscall.O_DIRECTORY != 0 {
			return errno(syscall.ENOTDIR)
		}
		return newObject(fileRegular, i, status)
	}
	if i >= 0 || isDir(path) {
		if i < 0 {
			i = addDir(path)
		}
		if i < 0 {
			return errno(syscall.ENFILE)
		}
		return newObject(fileDir, i, status)
	}
	return errno(syscall.ENOENT)
}

// addDir makes a node for a directory that the archive only implies.
func addDir(path []byte) int32 {
	n, ok := newNode(path)
	if !ok {
		return -1
	}
	nodes[n].mode = syscall.S_IFDIR | 0o555
	return n
}

// newNode adds a node whose name is copied into a frame of its own.
func newNode(path []byte) (int32, bool) {
	if numNodes == maxNodes {
		return 0, false
	}
	frame, ok := allocFrames(0)
	if !ok {
		return 0, false
	}
	copy(unsafe.Slice((*byte)(pointer(frame)), len(path)), path)
	nodes[numNodes] = node{name: frame, size: int32(len(path))}
	numNodes++
	return numNodes - 1, true
}

// SetFile makes data readable as the file path, in the place of one of that
// name in the boot archive; /etc/resolv.conf is written this way. Data is
// copied. Goroutine context.
func SetFile(path string, data []byte) {
	syscall.RawSyscall6(nrSetFile, uintptr(unsafe.Pointer(unsafe.StringData(path))), uintptr(len(path)),
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), 0, 0)
}

func setFile(nameAddr, nameLen, dataAddr, dataLen uint64) uint64 {
	var buf [256]byte
	if nameLen > uint64(len(buf)) || dataLen > 1<<30 {
		return errno(eINVAL)
	}
	if !CopyIn(buf[:nameLen], uintptr(nameAddr)) {
		return errno(eFAULT)
	}
	path := cleanPath(buf[:nameLen])
	order := 0
	for mm.PageSize<<order < dataLen {
		order++
	}
	frames, ok := allocFrames(order)
	if !ok {
		return errno(syscall.ENOMEM)
	}
	if !copyBytes(frames, uintptr(dataAddr), uintptr(dataLen)) {
		freeFrames(frames)
		return errno(eFAULT)
	}
	i := lookup(path)
	if i < 0 {
		if i, ok = newNode(path); !ok {
			freeFrames(frames)
			return errno(syscall.ENFILE)
		}
	}
	n := &nodes[i]
	if n.own != 0 {
		freeFrames(n.data)
	}
	n.mode, n.data, n.len, n.own = syscall.S_IFREG|0o444, frames, int64(dataLen), int8(order+1)
	return 0
}

func readRegular(i int32, offset int64, buf, count uint64) uint64 {
	n := &nodes[i]
	if offset < 0 {
		return errno(eINVAL)
	}
	if offset >= n.len {
		return 0
	}
	count = min(count, uint64(n.len-offset), 1<<20) // the rest with the next call
	if !copyBytes(uintptr(buf), n.data+uintptr(offset), uintptr(count)) {
		return errno(eFAULT)
	}
	return count
}

func pread(fd int32, buf, count uint64, offset int64) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil:
		return errno(eBADF)
	case f.kind != fileRegular:
		return errno(syscall.ESPIPE)
	}
	return readRegular(f.object, offset, buf, count)
}

func lseek(fd int32, offset int64, whence uint64) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	switch f.kind {
	case fileRegular, fileDir:
	case fileNull, fileRandom:
		return 0
	default:
		return errno(syscall.ESPIPE)
	}
	switch whence {
	case 0:
	case 1:
		offset += f.offset
	case 2:
		offset += nodes[f.object].len
	default:
		return errno(eINVAL)
	}
	if offset < 0 {
		return errno(eINVAL)
	}
	f.offset = offset
	return uint64(offset)
}
