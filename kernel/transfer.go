//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/kernel/ramfs"
	"nuos/kernel/unix"
)

// Bytes that go from one file to another and never come to the program: sendfile and
// copy_file_range here, splice and tee in splice.go. What a file or a pipe has lies in the
// kernel's memory, and a socket or a file can write from there as it does from the
// program's, so nothing is copied twice.
//
// Like reads and writes, a call moves transferLimit bytes at most, and one that
// has to wait has moved nothing yet and is made again.

// position is where a call reads or writes a file: at an offset of the program's,
// which it gives back changed, or where the file stands.
type position struct {
	at   int64
	addr uint64 // of the program's offset, 0 if there is none
}

func (f *file) position(addr uint64) (position, syscall.Errno) {
	if addr == 0 {
		return position{at: f.offset}, 0
	}
	at, ok := loadUser64(addr)
	if !ok {
		return position{}, eFAULT
	}
	return position{int64(at), addr}, 0
}

// moved puts the position n bytes on; n may be an error.
func (f *file) moved(p position, n uint64) uint64 {
	switch {
	case int64(n) <= 0 || n == blocked:
	case p.addr == 0:
		f.offset = p.at + int64(n)
	case !storeUser64(p.addr, uint64(p.at)+n):
		return errno(eFAULT)
	}
	return n
}

// piece is what f has at an offset, or that it cannot be read this way.
func (f *file) piece(at int64) (addr uintptr, n uint64, e syscall.Errno) {
	switch f.kind {
	case fileRegular:
		a, k := f.node.Piece(at)
		return a, uint64(k), 0
	case fileZero, fileFull:
		return uintptr(unsafe.Pointer(&zeroPage)), uint64(len(zeroPage)), 0
	}
	return 0, 0, eINVAL
}

// put writes bytes of the kernel's to f, to a regular file at an offset. It does not
// wait: EAGAIN. again says that the caller then does so.
func (c *cpu) put(t *thread, f *file, at int64, addr uintptr, n uint64, again bool) uint64 {
	switch f.kind {
	case fileRegular:
		return f.writeAt(at, uint64(addr), n)
	case filePipe:
		p := &pipes[f.object]
		switch {
		case p.readers == 0:
			raise(t, int32(syscall.SIGPIPE), 0)
			return errno(syscall.EPIPE)
		case p.used == pipeSize:
			return errno(eAGAIN)
		}
		return p.fill(addr, n)
	case fileSocket, fileUnix:
		r := c.socketTransfer(f, syscall.SYS_WRITE, addr, n, again)
		if r == errno(syscall.EPIPE) {
			raise(t, int32(syscall.SIGPIPE), 0)
		}
		return r
	case fileConsole:
		return writeConsole(uint64(addr), n)
	case fileNull, fileZero:
		return n
	}
	return errno(eINVAL)
}

// socketTransfer reads or writes a socket, from or to the kernel's memory. It does
// not wait.
func (c *cpu) socketTransfer(f *file, nr uintptr, addr uintptr, n uint64, again bool) uint64 {
	if f.kind == fileUnix {
		unixArgs = [6]uintptr{1: addr, 2: uintptr(n)}
		return uint64(unix.Call(nr, int(f.object), again, &unixArgs))
	}
	call := &socketArgs
	*call = Call{Nr: nr, Sock: int(f.object), Nonblock: true, Args: [6]uintptr{1: addr, 2: uintptr(n)}}
	return uint64(socketTable.Load().Call(call))
}

// waits reports whether a call on f may wait.
func (f *file) waits() bool { return f.flags&syscall.O_NONBLOCK == 0 }

// send moves up to n bytes of a file, from an offset on, to another.
func (c *cpu) send(t *thread, in *file, from int64, out *file, to int64, n uint64, wait bool) uint64 {
	done := uint64(0)
	for n = min(n, transferLimit); done < n; {
		addr, k, e := in.piece(from + int64(done))
		if e != 0 {
			return errno(e)
		}
		if k == 0 {
			break
		}
		if done == 0 && in.node != 0 {
			in.node.Event(ramfs.InAccess) // before anything is told of the other file
		}
		r := c.put(t, out, to+int64(done), addr, min(k, n-done), wait && done == 0)
		if int64(r) <= 0 {
			if done > 0 {
				break
			}
			if r == errno(eAGAIN) && wait {
				return c.wait(t, out)
			}
			return r
		}
		done += r
	}
	return done
}

// sendfile is sendfile(2).
func (c *cpu) sendfile(t *thread, outFD, inFD int32, offset, n uint64) uint64 {
	in, out := openFile(inFD), openFile(outFD)
	if in == nil || !in.reads() {
		return errno(eBADF)
	}
	p, e := in.position(offset)
	switch {
	case e != 0:
		return errno(e)
	case offset != 0 && !in.seeks():
		return errno(syscall.ESPIPE)
	case out == nil || !out.writes():
		return errno(eBADF)
	case int64(n) < 0 || p.at < 0:
		return errno(eINVAL)
	case out.kind == filePipe:
		return c.feed(t, in, offset, out, n, 0)
	case !in.seeks() || out.kind == fileRegular && out.flags&syscall.O_APPEND != 0:
		return errno(eINVAL)
	case out.kind == fileRegular && in.kind == fileRegular && in.node == out.node:
		// The file that grows ends where it did.
		n = min(n, uint64(max(in.node.Size()-p.at, 0)))
	}
	r := c.send(t, in, p.at, out, out.offset, n, out.waits())
	if out.kind == fileRegular {
		out.moved(position{at: out.offset}, r)
	}
	return in.moved(p, r)
}

// seeks reports whether f has positions.
func (f *file) seeks() bool {
	switch f.kind {
	case fileRegular, fileDir, fileNull, fileZero, fileFull, fileRandom:
		return true
	}
	return false
}

// copyFileRange is copy_file_range(2).
func (c *cpu) copyFileRange(t *thread, inFD int32, inOffset uint64, outFD int32, outOffset, n, flags uint64) uint64 {
	in, out := openFile(inFD), openFile(outFD)
	if in == nil || out == nil {
		return errno(eBADF)
	}
	from, e := in.position(inOffset)
	to, e2 := out.position(outOffset)
	switch {
	case e != 0:
		return errno(e)
	case e2 != 0:
		return errno(e2)
	case flags != 0:
		return errno(eINVAL)
	case in.kind == fileDir || out.kind == fileDir:
		return errno(syscall.EISDIR)
	case in.kind != fileRegular || out.kind != fileRegular:
		return errno(eINVAL)
	case !in.reads() || !out.writes() || out.flags&syscall.O_APPEND != 0:
		return errno(eBADF)
	case uint64(from.at)+n < uint64(from.at) || uint64(to.at)+n < uint64(to.at):
		return errno(syscall.EOVERFLOW)
	case from.at < 0 || to.at < 0:
		return errno(eINVAL)
	}
	n = min(n, uint64(max(in.node.Size()-from.at, 0)))
	if in.node == out.node && from.at < to.at+int64(n) && to.at < from.at+int64(n) {
		return errno(eINVAL)
	}
	r := c.send(t, in, from.at, out, to.at, n, false)
	if out.moved(to, r) != r {
		return errno(eFAULT)
	}
	return in.moved(from, r)
}
