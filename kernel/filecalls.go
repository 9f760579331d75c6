//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
)

// fileCall makes the call in t's registers if it is one on files and their names, as
// dispatch does for the others.
func (c *cpu) fileCall(t *thread, nr, a, b, d, e, f, g uint64) uint64 {
	switch nr {
	case syscall.SYS_OPENAT:
		return c.openat(t, int32(a), b, d, e)
	case syscall.SYS_OPEN:
		return c.openat(t, atFDCWD, a, b, d)
	case syscall.SYS_CREAT:
		return c.openat(t, atFDCWD, a, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_TRUNC, b)
	case sysMemfdCreate:
		return memfdCreate(b)
	case syscall.SYS_LSEEK:
		return lseek(int32(a), int64(b), d)
	case syscall.SYS_PREAD64:
		return c.pread(t, int32(a), b, d, int64(e))
	case syscall.SYS_PWRITE64:
		return c.pwrite(t, int32(a), b, d, int64(e))
	case syscall.SYS_SENDFILE:
		return c.sendfile(t, int32(a), int32(b), d, e)
	case syscall.SYS_SPLICE:
		return c.splice(t, int32(a), b, int32(d), e, f, g&0xFFFFFFFF)
	case syscall.SYS_TEE:
		return c.tee(t, int32(a), int32(b), d, e&0xFFFFFFFF)
	case sysCopyFileRange:
		return c.copyFileRange(t, int32(a), b, int32(d), e, f, g&0xFFFFFFFF)
	case syscall.SYS_FTRUNCATE:
		return ftruncate(int32(a), int64(b))
	case syscall.SYS_TRUNCATE:
		return truncate(a, int64(b))
	case syscall.SYS_FALLOCATE:
		return fallocate(int32(a), int64(d), int64(e))
	case syscall.SYS_MSYNC:
		return msync(a, b, d)
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		return fsync(int32(a))
	case syscall.SYS_SYNC:
		return 0
	case sysSyncfs:
		return syncfs(int32(a))
	case syscall.SYS_SYNC_FILE_RANGE:
		return syncFileRange(int32(a), int64(b), int64(d), e&0xFFFFFFFF)
	case syscall.SYS_FADVISE64:
		return fadvise(int32(a), int64(d), e&0xFFFFFFFF)
	case syscall.SYS_READAHEAD:
		return readahead(int32(a))
	case syscall.SYS_MLOCK, syscall.SYS_MUNLOCK:
		return mlock(a, b, 0)
	case sysMlock2:
		return mlock(a, b, d)
	case syscall.SYS_MLOCKALL:
		return mlockall(a)
	case syscall.SYS_MUNLOCKALL:
		return 0
	case syscall.SYS_FLOCK:
		return c.flock(t, int32(a), b)
	case syscall.SYS_FSTAT:
		return fstat(int32(a), b)
	case syscall.SYS_NEWFSTATAT:
		return newfstatat(int32(a), b, d, e)
	case syscall.SYS_STAT:
		return newfstatat(atFDCWD, a, b, 0)
	case syscall.SYS_LSTAT:
		return newfstatat(atFDCWD, a, b, atSymlinkNofollow)
	case sysStatx:
		return statx(int32(a), b, d&0xFFFFFFFF, e&0xFFFFFFFF, f)
	case syscall.SYS_STATFS:
		if _, e := nodeAt(atFDCWD, a, ramfs.Follow); e != 0 {
			return errno(e)
		}
		return statfs(b)
	case syscall.SYS_FSTATFS:
		if fileOf(int32(a)) == nil {
			return errno(eBADF)
		}
		return statfs(b)
	case syscall.SYS_GETDENTS64:
		return getdents(int32(a), b, d)

	case syscall.SYS_MKDIRAT:
		return mkdirat(int32(a), b, d)
	case syscall.SYS_MKDIR:
		return mkdirat(atFDCWD, a, b)
	case syscall.SYS_MKNODAT:
		return mknodat(int32(a), b, d)
	case syscall.SYS_MKNOD:
		return mknodat(atFDCWD, a, b)
	case syscall.SYS_UNLINKAT:
		return unlinkat(int32(a), b, d)
	case syscall.SYS_UNLINK:
		return unlinkat(atFDCWD, a, 0)
	case syscall.SYS_RMDIR:
		return unlinkat(atFDCWD, a, atRemoveDir)
	case sysRenameat2:
		return renameat(int32(a), b, int32(d), e, f)
	case syscall.SYS_RENAMEAT:
		return renameat(int32(a), b, int32(d), e, 0)
	case syscall.SYS_RENAME:
		return renameat(atFDCWD, a, atFDCWD, b, 0)
	case syscall.SYS_LINKAT:
		return linkat(int32(a), b, int32(d), e, f)
	case syscall.SYS_LINK:
		return linkat(atFDCWD, a, atFDCWD, b, 0)
	case syscall.SYS_SYMLINKAT:
		return symlinkat(a, int32(b), d)
	case syscall.SYS_SYMLINK:
		return symlinkat(a, atFDCWD, b)
	case syscall.SYS_READLINKAT:
		return readlinkat(int32(a), b, d, e)
	case syscall.SYS_READLINK:
		return readlinkat(atFDCWD, a, b, d)
	case syscall.SYS_CHDIR:
		return chdir(a)
	case syscall.SYS_FCHDIR:
		return fchdir(int32(a))
	case syscall.SYS_GETCWD:
		return getcwd(a, b)
	case syscall.SYS_UMASK:
		return setUmask(a)
	case syscall.SYS_FCHMODAT:
		return fchmodat(int32(a), b, d, 0)
	case sysFchmodat2:
		return fchmodat(int32(a), b, d, e)
	case syscall.SYS_CHMOD:
		return fchmodat(atFDCWD, a, b, 0)
	case syscall.SYS_FCHMOD:
		return fchmod(int32(a), b)
	case syscall.SYS_FCHOWNAT:
		return fchownat(int32(a), b, d, e, f)
	case syscall.SYS_CHOWN:
		return fchownat(atFDCWD, a, b, d, 0)
	case syscall.SYS_LCHOWN:
		return fchownat(atFDCWD, a, b, d, atSymlinkNofollow)
	case syscall.SYS_FCHOWN:
		return fchown(int32(a), b, d)
	case syscall.SYS_UTIMENSAT:
		return utimensat(int32(a), b, d, e)
	case syscall.SYS_FUTIMESAT:
		return futimesat(int32(a), b, d)
	case syscall.SYS_UTIMES:
		return futimesat(atFDCWD, a, b)
	case syscall.SYS_UTIME:
		return utime(a, b)
	case syscall.SYS_GETXATTR, syscall.SYS_SETXATTR, syscall.SYS_REMOVEXATTR, syscall.SYS_LISTXATTR:
		return xattrAt(a, ramfs.Follow, nr == syscall.SYS_LISTXATTR)
	case syscall.SYS_LGETXATTR, syscall.SYS_LSETXATTR, syscall.SYS_LREMOVEXATTR, syscall.SYS_LLISTXATTR:
		return xattrAt(a, ramfs.NoFollow, nr == syscall.SYS_LLISTXATTR)
	case syscall.SYS_FGETXATTR, syscall.SYS_FSETXATTR, syscall.SYS_FREMOVEXATTR, syscall.SYS_FLISTXATTR:
		return fxattr(int32(a), nr == syscall.SYS_FLISTXATTR)
	case syscall.SYS_INOTIFY_INIT:
		return inotifyInit(0)
	case syscall.SYS_INOTIFY_INIT1:
		return inotifyInit(a)
	case syscall.SYS_INOTIFY_ADD_WATCH:
		return inotifyAddWatch(int32(a), b, d)
	case syscall.SYS_INOTIFY_RM_WATCH:
		return inotifyRmWatch(int32(a), int32(b))
	case syscall.SYS_FACCESSAT:
		return faccessat(int32(a), b, d, 0)
	case sysFaccessat2:
		return faccessat(int32(a), b, d, e)
	case syscall.SYS_ACCESS:
		return faccessat(atFDCWD, a, b, 0)
	}
	return unknownCall(nr)
}

// Numbers that package syscall does not have.
const (
	sysSyncfs        = 306
	sysRenameat2     = 316
	sysMemfdCreate   = 319
	sysMlock2        = 325
	sysCopyFileRange = 326
	sysStatx         = 332
	sysFaccessat2    = 439
	sysFchmodat2     = 452
)
