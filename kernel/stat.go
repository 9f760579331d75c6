//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// stat and its relatives, and reading directories and links.

func storeStat(addr uint64, mode uint32, size int64, ino uint64) uint64 {
	var s syscall.Stat_t
	s.Ino, s.Nlink, s.Mode, s.Size, s.Blksize = ino, 1, mode, size, 4096
	s.Blocks = (size + 511) / 512
	if !copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&s)), unsafe.Sizeof(s)) {
		return errno(eFAULT)
	}
	return 0
}

func fstat(fd int32, addr uint64) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	ino := uint64(maxNodes + fileIndex(f))
	switch f.kind {
	case fileRegular, fileDir:
		n := &nodes[f.object]
		return storeStat(addr, n.mode, n.len, uint64(f.object)+1)
	case filePipeRead, filePipeWrite:
		return storeStat(addr, syscall.S_IFIFO|0o600, 0, ino)
	case fileSocket:
		return storeStat(addr, syscall.S_IFSOCK|0o777, 0, ino)
	}
	return storeStat(addr, syscall.S_IFCHR|0o666, 0, ino)
}

func newfstatat(dir int32, addr, out, flags uint64) uint64 {
	const emptyPath = 0x1000
	var buf [256]byte
	path, e := loadPath(addr, &buf)
	if e == syscall.ENOENT && flags&emptyPath != 0 {
		return fstat(dir, out)
	}
	if e != 0 {
		return errno(e)
	}
	switch string(path) {
	case "dev/null", "dev/urandom", "dev/random", "dev/console":
		return storeStat(out, syscall.S_IFCHR|0o666, 0, maxNodes)
	}
	if i := lookup(path); i >= 0 {
		return storeStat(out, nodes[i].mode, nodes[i].len, uint64(i)+1)
	}
	if isDir(path) {
		return storeStat(out, syscall.S_IFDIR|0o555, 0, maxNodes+maxFiles)
	}
	return errno(syscall.ENOENT)
}

// readlinkat knows one link, /proc/self/exe.
func readlinkat(addr, out, size uint64) uint64 {
	var buf [256]byte
	path, e := loadPath(addr, &buf)
	if e != 0 {
		return errno(e)
	}
	if string(path) != "proc/self/exe" {
		if lookup(path) >= 0 || isDir(path) {
			return errno(eINVAL)
		}
		return errno(syscall.ENOENT)
	}
	n := min(size, uint64(len(programName)-1))
	if !CopyOut(uintptr(out), programName[:n]) {
		return errno(eFAULT)
	}
	return n
}

// getdents is getdents64(2). The file's offset counts nodes looked at.
func getdents(fd int32, addr, size uint64) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil:
		return errno(eBADF)
	case f.kind != fileDir:
		return errno(syscall.ENOTDIR)
	}
	dir := nodes[f.object].path()
	done := uint64(0)
	for ; f.offset < int64(numNodes); f.offset++ {
		name, isFile := child(dir, int32(f.offset))
		if len(name) == 0 || seenBefore(dir, name, int32(f.offset)) {
			continue
		}
		// struct linux_dirent64: ino 8, offset 8, length 2, type 1, name.
		length := (19 + uint64(len(name)) + 1 + 7) &^ 7
		if done+length > size {
			if done == 0 {
				return errno(eINVAL)
			}
			break
		}
		var e [19 + 256 + 8]byte
		*(*uint64)(unsafe.Pointer(&e[0])) = uint64(f.offset) + 1
		*(*int64)(unsafe.Pointer(&e[8])) = f.offset + 1
		*(*uint16)(unsafe.Pointer(&e[16])) = uint16(length)
		e[18] = syscall.DT_DIR
		if isFile {
			e[18] = syscall.DT_REG
		}
		copy(e[19:len(e)-8], name)
		if !CopyOut(uintptr(addr+done), e[:length]) {
			return errno(eFAULT)
		}
		done += length
	}
	return done
}

// child returns the element of node i's path that follows dir, if any, and
// whether it is a regular file's.
func child(dir []byte, i int32) (name []byte, isFile bool) {
	p := nodes[i].path()
	if len(dir) > 0 {
		if len(p) <= len(dir) || p[len(dir)] != '/' || string(p[:len(dir)]) != string(dir) {
			return nil, false
		}
		p = p[len(dir)+1:]
	}
	for k := range p {
		if p[k] == '/' {
			return p[:k], false
		}
	}
	return p, nodes[i].mode&syscall.S_IFMT == syscall.S_IFREG
}

// seenBefore reports whether a node before i has the same element: a directory
// with several files in it.
func seenBefore(dir, name []byte, i int32) bool {
	for k := range i {
		if earlier, _ := child(dir, k); string(earlier) == string(name) {
			return true
		}
	}
	return false
}
