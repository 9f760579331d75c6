//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/kernel/ramfs"
)

// System calls on names: making, linking, renaming and removing them, and the
// attributes of what they name.

func mkdirat(dir int32, addr, mode uint64) uint64 {
	if e := walkTo(&walk, dir, addr, ramfs.Parent); e != 0 {
		return errno(e)
	}
	return errno(walk.MakeFolder(uint32(mode) &^ umask))
}

func mknodat(dir int32, addr, mode uint64) uint64 {
	kind := uint32(mode) & syscall.S_IFMT
	if kind == 0 {
		kind = syscall.S_IFREG
	}
	if kind != syscall.S_IFREG && kind != syscall.S_IFSOCK && kind != syscall.S_IFIFO {
		return errno(syscall.EPERM)
	}
	if e := walkTo(&walk, dir, addr, ramfs.Parent); e != 0 {
		return errno(e)
	}
	_, e := walk.Make(kind | uint32(mode)&0o7777&^umask)
	return errno(e)
}

func unlinkat(dir int32, addr, flags uint64) uint64 {
	if flags&^atRemoveDir != 0 {
		return errno(eINVAL)
	}
	if e := walkTo(&walk, dir, addr, ramfs.Parent); e != 0 {
		return errno(e)
	}
	if flags&atRemoveDir != 0 {
		return errno(walk.RemoveFolder())
	}
	return errno(walk.Unlink())
}

func renameat(oldDir int32, oldAddr uint64, newDir int32, newAddr, flags uint64) uint64 {
	if e := walkTo(&walk, oldDir, oldAddr, ramfs.Parent); e != 0 {
		return errno(e)
	}
	if e := walkTo(&walk2, newDir, newAddr, ramfs.Parent); e != 0 {
		return errno(e)
	}
	return errno(walk.Rename(&walk2, flags))
}

func linkat(oldDir int32, oldAddr uint64, newDir int32, newAddr, flags uint64) uint64 {
	if flags&^(atSymlinkFollow|atEmptyPath) != 0 {
		return errno(eINVAL)
	}
	n, e := nodeAtFlags(oldDir, oldAddr, flags&atEmptyPath|atSymlinkNofollow)
	if flags&atSymlinkFollow != 0 {
		n, e = nodeAt(oldDir, oldAddr, ramfs.Follow)
	}
	if e != 0 {
		return errno(e)
	}
	if e := walkTo(&walk2, newDir, newAddr, ramfs.Parent); e != 0 {
		return errno(e)
	}
	return errno(walk2.LinkTo(n))
}

func symlinkat(targetAddr uint64, dir int32, addr uint64) uint64 {
	target, e := loadPath(targetAddr, &pathBuffer2)
	if e != 0 {
		return errno(e)
	}
	if e := walkTo(&walk, dir, addr, ramfs.Parent); e != 0 {
		return errno(e)
	}
	return errno(walk.MakeLink(target))
}

func readlinkat(dir int32, addr, out, size uint64) uint64 {
	if int64(size) <= 0 {
		return errno(eINVAL)
	}
	n, e := nodeAtFlags(dir, addr, atEmptyPath|atSymlinkNofollow)
	if e != 0 {
		return errno(e)
	}
	if n.Kind() != syscall.S_IFLNK {
		return errno(eINVAL)
	}
	target := n.Target()
	if n.Device() != 0 {
		target = targetOf(n)
	}
	target = target[:min(uint64(len(target)), size)]
	if !CopyOut(uintptr(out), target) {
		return errno(eFAULT)
	}
	return uint64(len(target))
}

func chdir(addr uint64) uint64 {
	path, e := loadPath(addr, &pathBuffer)
	if e != 0 {
		return errno(e)
	}
	return errno(changeFolder(workingFolder, path))
}

func fchdir(fd int32) uint64 {
	n, e := folderOf(fd)
	if e != 0 {
		return errno(e)
	}
	return errno(setFolder(n))
}

func getcwd(addr, size uint64) uint64 {
	at, e := workingFolder.NameOf(pathBuffer[:maxPath-1])
	if e != 0 {
		return errno(e)
	}
	pathBuffer[maxPath-1] = 0
	if uint64(maxPath-at) > size {
		return errno(syscall.ERANGE)
	}
	if !CopyOut(uintptr(addr), pathBuffer[at:]) {
		return errno(eFAULT)
	}
	return uint64(maxPath - at)
}

func setUmask(mask uint64) uint64 {
	old := umask
	umask = uint32(mask) & 0o777
	return uint64(old)
}

func fchmodat(dir int32, addr, mode, flags uint64) uint64 {
	n, e := nodeAtFlags(dir, addr, flags)
	switch {
	case e != 0:
		return errno(e)
	case n.Kind() == syscall.S_IFLNK:
		return errno(syscall.EOPNOTSUPP)
	}
	n.SetMode(uint32(mode))
	return 0
}

func fchmod(fd int32, mode uint64) uint64 {
	n, e := nodeOf(fd)
	if e != 0 {
		return errno(e)
	}
	n.SetMode(uint32(mode))
	return 0
}

func fchownat(dir int32, addr, uid, gid, flags uint64) uint64 {
	n, e := nodeAtFlags(dir, addr, flags)
	if e != 0 {
		return errno(e)
	}
	n.SetOwner(uint32(uid), uint32(gid))
	return 0
}

func fchown(fd int32, uid, gid uint64) uint64 {
	n, e := nodeOf(fd)
	if e != 0 {
		return errno(e)
	}
	n.SetOwner(uint32(uid), uint32(gid))
	return 0
}

// utimensat is utimensat(2): two times, of access and of change; no path means
// the descriptor itself.
func utimensat(dir int32, addr, timesAt, flags uint64) uint64 {
	const now, omit = 1<<30 - 1, 1<<30 - 2
	times := [2]int64{wallTime(), wallTime()}
	for i := range times {
		if timesAt == 0 {
			break
		}
		var ts syscall.Timespec
		if !copyBytes(uintptr(unsafe.Pointer(&ts)), uintptr(timesAt)+uintptr(i)*unsafe.Sizeof(ts), unsafe.Sizeof(ts)) {
			return errno(eFAULT)
		}
		switch {
		case ts.Nsec == now:
		case ts.Nsec == omit:
			times[i] = ramfs.Omit
		case ts.Nsec < 0 || ts.Nsec >= 1e9:
			return errno(eINVAL)
		default:
			times[i] = ts.Sec*1e9 + ts.Nsec
		}
	}
	return setTimes(dir, addr, flags, times)
}

// setTimes sets the times of what a path names or, without a path, a descriptor.
func setTimes(dir int32, addr, flags uint64, times [2]int64) uint64 {
	n, e := ramfs.Node(0), syscall.Errno(0)
	if addr == 0 {
		n, e = nodeOf(dir)
	} else {
		n, e = nodeAtFlags(dir, addr, flags)
	}
	if e != 0 {
		return errno(e)
	}
	n.SetTimes(times[0], times[1])
	return 0
}

// futimesat is futimesat(2) and utimes(2).
func futimesat(dir int32, addr, timesAt uint64) uint64 {
	times := [2]int64{wallTime(), wallTime()}
	for i := range times {
		if timesAt == 0 {
			break
		}
		sec, ok := loadUser64(timesAt + uint64(i)*16)
		usec, ok2 := loadUser64(timesAt + uint64(i)*16 + 8)
		switch {
		case !ok || !ok2:
			return errno(eFAULT)
		case usec >= 1e6:
			return errno(eINVAL)
		}
		times[i] = int64(sec)*1e9 + int64(usec)*1e3
	}
	return setTimes(dir, addr, 0, times)
}

// utime is utime(2), in whole seconds.
func utime(addr, timesAt uint64) uint64 {
	times := [2]int64{wallTime(), wallTime()}
	for i := range times {
		if timesAt == 0 {
			break
		}
		sec, ok := loadUser64(timesAt + uint64(i)*8)
		if !ok {
			return errno(eFAULT)
		}
		times[i] = int64(sec) * 1e9
	}
	return setTimes(atFDCWD, addr, 0, times)
}

// faccessat is faccessat(2) for root, who may do everything but execute what
// nobody may.
func faccessat(dir int32, addr, mode, flags uint64) uint64 {
	const execute, effective = 1, 0x200 // AT_EACCESS
	if mode > 7 || flags&^(effective|atSymlinkNofollow|atEmptyPath) != 0 {
		return errno(eINVAL)
	}
	n, e := nodeAtFlags(dir, addr, flags)
	if e != 0 {
		return errno(e)
	}
	var s syscall.Stat_t
	n.Stat(&s)
	if mode&execute != 0 && n.Kind() != syscall.S_IFDIR && s.Mode&0o111 == 0 {
		return errno(syscall.EACCES)
	}
	return 0
}
