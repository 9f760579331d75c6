//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
	"nuos/kernel/unix"
)

// Unix-domain sockets, which every image has: package unix on files, the file
// system and threads.

var unixFile [unix.MaxSockets]int32 // file and 1, by socket; 0 before accept

// startUnix is called before the Go runtime starts.
func startUnix() {
	unix.Start(unix.Kernel{
		Alloc: allocPage, Free: freeFrames, Copy: copyBytes,
		Notify: notifyUnix, Hold: holdFile, Install: installFile, Release: releaseHeld,
		Bind: bindNode, Find: findNode, Unbind: unbindNode,
	})
}

func notifyUnix(s int, mask uint32) {
	if f := unixFile[s]; f != 0 {
		notify(&files[f-1], mask)
	}
}

// holdFile, installFile and releaseHeld are for files on their way in a message.
func holdFile(fd int32) (int32, syscall.Errno) {
	f := fileOf(fd)
	if f == nil {
		return 0, eBADF
	}
	f.refs++
	return fileIndex(f), 0
}

func installFile(file int32, closeOnExec bool) int32 {
	fd := openFD(file, 0, closeOnExec)
	if int64(fd) < 0 {
		return -1
	}
	return int32(fd)
}

func releaseHeld(file int32) { thisCPU().releaseFile(nil, &files[file]) }

// bindNode makes a socket in the file system. It holds the node: Object, which
// leads back to the socket, is cleared before the node can be gone.
func bindNode(path []byte, s int) (uintptr, syscall.Errno) {
	if e := walkPath(&walk, atFDCWD, path, ramfs.Parent); e != 0 {
		return 0, e
	}
	if walk.Node != 0 {
		return 0, syscall.EADDRINUSE
	}
	n, e := walk.Make(syscall.S_IFSOCK | 0o777&^umask)
	if e != 0 {
		return 0, e
	}
	n.Hold()
	*n.Object() = uint64(s) + 1
	return uintptr(n), 0
}

func findNode(path []byte) (int, syscall.Errno) {
	if e := walkPath(&walk, atFDCWD, path, ramfs.Follow); e != 0 {
		return 0, e
	}
	n := walk.Node
	switch {
	case n == 0:
		return 0, syscall.ENOENT
	case n.Kind() != syscall.S_IFSOCK || *n.Object() == 0:
		return 0, syscall.ECONNREFUSED // nobody is behind it
	}
	return int(*n.Object() - 1), 0
}

func unbindNode(node uintptr) {
	n := ramfs.Node(node)
	*n.Object() = 0
	n.Release()
}

// openUnix gives socket s a descriptor, or closes it.
func openUnix(s int, flags uint64) uint64 {
	fd := newObject(fileUnix, int32(s), uint32(flags&(syscall.O_NONBLOCK|syscall.O_CLOEXEC))|syscall.O_RDWR)
	if int64(fd) < 0 {
		unix.Close(s)
		return fd
	}
	unixFile[s] = fds[fd]
	return fd
}

// closeUnix is called when nothing refers to a socket's file any more.
func closeUnix(f *file) {
	unixFile[f.object] = 0
	unix.Close(int(f.object))
}

func newUnix(typ, protocol uint64) uint64 {
	s, e := unix.Open(uintptr(typ), uintptr(protocol))
	if e != 0 {
		return errno(e)
	}
	return openUnix(s, typ)
}

// socketpair is socketpair(2), which only this family has.
func (c *cpu) socketpair(t *thread, domain, typ, protocol, addr uint64) uint64 {
	if domain != syscall.AF_UNIX {
		if domain == syscall.AF_INET || domain == syscall.AF_INET6 {
			return errno(syscall.EOPNOTSUPP)
		}
		return errno(syscall.EAFNOSUPPORT)
	}
	i, j, e := unix.Pair(uintptr(typ), uintptr(protocol))
	if e != 0 {
		return errno(e)
	}
	a := openUnix(i, typ)
	if int64(a) < 0 {
		unix.Close(j)
		return a
	}
	b := openUnix(j, typ)
	if int64(b) < 0 {
		c.closeFD(t, int32(a))
		return b
	}
	if !storeUser32(addr, uint32(a)) || !storeUser32(addr+4, uint32(b)) {
		c.closeFD(t, int32(a))
		c.closeFD(t, int32(b))
		return errno(eFAULT)
	}
	return 0
}

// unixArgs are the arguments of the call that is being made: static, as
// socketArgs is.
var unixArgs [6]uintptr

// unixCall makes one of the calls that package unix implements.
func (c *cpu) unixCall(t *thread, f *file, nr uint64) uint64 {
	unixArgs = [6]uintptr{uintptr(t.di), uintptr(t.si), uintptr(t.dx), uintptr(t.r10), uintptr(t.r8), uintptr(t.r9)}
	waits := f.flags&syscall.O_NONBLOCK == 0 && t.messageFlags(nr)&syscall.MSG_DONTWAIT == 0
	r := unix.Call(uintptr(nr), int(f.object), waits, &unixArgs)
	switch {
	case r == -int(eAGAIN) && waits:
		return c.waitSocket(t, f, nr)
	case r == -int(syscall.EPIPE):
		t.brokenPipe(nr)
	case r >= 0 && (nr == syscall.SYS_ACCEPT4 || nr == syscall.SYS_ACCEPT):
		return openUnix(r, t.acceptFlags(nr))
	}
	return uint64(r)
}

// messageFlags are the MSG_... flags of a call.
func (t *thread) messageFlags(nr uint64) uint64 {
	switch nr {
	case syscall.SYS_SENDTO, syscall.SYS_RECVFROM, SysSendmmsg, syscall.SYS_RECVMMSG:
		return t.r10
	case syscall.SYS_SENDMSG, syscall.SYS_RECVMSG:
		return t.dx
	}
	return 0
}

// acceptFlags are the SOCK_... flags of accept4, which accept does not have.
func (t *thread) acceptFlags(nr uint64) uint64 {
	if nr == syscall.SYS_ACCEPT4 {
		return t.r10
	}
	return 0
}

// brokenPipe raises the signal that comes with EPIPE.
func (t *thread) brokenPipe(nr uint64) {
	if t.messageFlags(nr)&syscall.MSG_NOSIGNAL == 0 {
		raise(t, int32(syscall.SIGPIPE), 0)
	}
}
