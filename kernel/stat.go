//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/kernel/ramfs"
	"nuos/mm"
)

// stat and its relatives, and reading folders.

// firstNumber is the inode number of the first file that is not in the file
// system.
const firstNumber = 1 << 32

func storeStat(addr uint64, s *syscall.Stat_t) uint64 {
	if !copyBytes(uintptr(addr), uintptr(unsafe.Pointer(s)), unsafe.Sizeof(*s)) {
		return errno(eFAULT)
	}
	return 0
}

// stat fills in what is known of an open file.
func (f *file) stat(s *syscall.Stat_t) {
	if f.node != 0 {
		f.node.Stat(s)
		return
	}
	*s = syscall.Stat_t{Dev: 2, Ino: firstNumber + uint64(fileIndex(f)), Nlink: 1, Blksize: mm.PageSize, Mode: 0o600}
	if f.kind == fileSocket || f.kind == fileUnix {
		s.Mode = syscall.S_IFSOCK | 0o777
	}
}

func fstat(fd int32, addr uint64) uint64 {
	f := fileOf(fd)
	if f == nil {
		return errno(eBADF)
	}
	var s syscall.Stat_t
	f.stat(&s)
	return storeStat(addr, &s)
}

// statAt fills in what is known of what a path, or a descriptor with an empty path,
// names.
func statAt(dir int32, addr, flags uint64, s *syscall.Stat_t) syscall.Errno {
	if flags&^(atSymlinkNofollow|atNoAutomount|atEmptyPath|atSyncType) != 0 {
		return eINVAL
	}
	if flags&atEmptyPath != 0 && dir != atFDCWD {
		if path, e := loadPath(addr, &pathBuffer); addr == 0 || e == 0 && len(path) == 0 {
			f := fileOf(dir)
			if f == nil {
				return eBADF
			}
			f.stat(s)
			return 0
		}
	}
	n, e := nodeAtFlags(dir, addr, flags)
	if e != 0 {
		return e
	}
	if n.Kind() == syscall.S_IFLNK && n.Device() != 0 && flags&atSymlinkNofollow == 0 {
		// Of something without a node.
		f := fileOf(int32(*n.Object()))
		if f == nil {
			return syscall.ENOENT
		}
		f.stat(s)
		return 0
	}
	n.Stat(s)
	return 0
}

func newfstatat(dir int32, addr, out, flags uint64) uint64 {
	var s syscall.Stat_t
	if e := statAt(dir, addr, flags, &s); e != 0 {
		return errno(e)
	}
	return storeStat(out, &s)
}

// statxt is struct statx.
type statxt struct {
	mask, blockSize            uint32
	attributes                 uint64
	links, uid, gid            uint32
	mode, _                    uint16
	number, size, blocks       uint64
	attributesMask             uint64
	accessed, born, changed    statxTime
	modified                   statxTime
	deviceMajor, deviceMinor   uint32
	mountedMajor, mountedMinor uint32
	_                          [14]uint64
}

type statxTime struct {
	sec  int64
	nsec uint32
	_    int32
}

// statx is statx(2). Everything that stat knows is told, whatever was asked for.
func statx(dir int32, addr, flags, mask, out uint64) uint64 {
	const basic, reserved = 0x7FF, 1 << 31
	if mask&reserved != 0 || flags&atSyncType == atSyncType {
		return errno(eINVAL)
	}
	var s syscall.Stat_t
	if e := statAt(dir, addr, flags, &s); e != 0 {
		return errno(e)
	}
	x := statxt{
		mask: basic, blockSize: uint32(s.Blksize), links: uint32(s.Nlink), uid: s.Uid, gid: s.Gid, mode: uint16(s.Mode),
		number: s.Ino, size: uint64(s.Size), blocks: uint64(s.Blocks),
		accessed:    statxTime{sec: s.Atim.Sec, nsec: uint32(s.Atim.Nsec)},
		modified:    statxTime{sec: s.Mtim.Sec, nsec: uint32(s.Mtim.Nsec)},
		changed:     statxTime{sec: s.Ctim.Sec, nsec: uint32(s.Ctim.Nsec)},
		deviceMajor: uint32(s.Rdev >> 8), deviceMinor: uint32(s.Rdev & 0xFF),
		mountedMajor: uint32(s.Dev >> 8), mountedMinor: uint32(s.Dev & 0xFF),
	}
	if !copyBytes(uintptr(out), uintptr(unsafe.Pointer(&x)), unsafe.Sizeof(x)) {
		return errno(eFAULT)
	}
	return 0
}

// statfs answers statfs(2) for the one file system there is, with the magic
// number of tmpfs.
func statfs(out uint64) uint64 {
	const tmpfsMagic = 0x01021994
	u := space().Usage()
	s := syscall.Statfs_t{
		Type: tmpfsMagic, Bsize: mm.PageSize, Frsize: mm.PageSize, Namelen: 255,
		Bfree: uint64(u.Free), Bavail: uint64(u.Free),
		Blocks: uint64(u.Free) + uint64(ramfs.Used().Pages),
		Files:  1 << 20, Ffree: 1<<20 - uint64(ramfs.Used().Nodes),
	}
	if !copyBytes(uintptr(out), uintptr(unsafe.Pointer(&s)), unsafe.Sizeof(s)) {
		return errno(eFAULT)
	}
	return 0
}

// getdents is getdents64(2). The file's offset is ramfs's cookie.
func getdents(fd int32, addr, size uint64) uint64 {
	f := fileOf(fd)
	switch {
	case f == nil:
		return errno(eBADF)
	case f.kind != fileDir:
		return errno(syscall.ENOTDIR)
	case f.node.Removed():
		return errno(syscall.ENOENT)
	}
	done := uint64(0)
	for {
		e, ok := f.node.Next(f.offset)
		if !ok {
			f.node.Event(ramfs.InAccess)
			return done
		}
		// struct linux_dirent64: ino 8, offset 8, length 2, type 1, name.
		length := (19 + uint64(len(e.Name)) + 1 + 7) &^ 7
		if done+length > size {
			f.node.Event(ramfs.InAccess)
			if done == 0 {
				return errno(eINVAL)
			}
			return done
		}
		var s syscall.Stat_t
		e.Node.Stat(&s)
		var d [19 + 256 + 8]byte
		*(*uint64)(unsafe.Pointer(&d[0])) = s.Ino
		*(*int64)(unsafe.Pointer(&d[8])) = e.Cookie
		*(*uint16)(unsafe.Pointer(&d[16])) = uint16(length)
		d[18] = byte(e.Node.Kind() >> 12) // DT_REG is S_IFREG>>12, and so on
		copy(d[19:len(d)-8], e.Name)
		if !CopyOut(uintptr(addr+done), d[:length]) {
			return errno(eFAULT)
		}
		done += length
		f.offset = e.Cookie
	}
}
