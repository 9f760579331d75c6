//go:build metal

package kernel

import (
	"syscall"

	"nuos/mm"
)

// Reads and writes of several pieces: readv(2) and its relatives.

const (
	maxPieces = 1024                // UIO_MAXIOV
	maxBytes  = 1<<31 - mm.PageSize // MAX_RW_COUNT
)

// iovec is struct iovec.
type iovec struct{ base, size uint64 }

func loadPiece(iov, i uint64) (v iovec, ok bool) {
	v.base, ok = loadUser64(iov + i*16)
	if ok {
		v.size, ok = loadUser64(iov + i*16 + 8)
	}
	return v, ok
}

// piecesTotal is the sum of the sizes.
func piecesTotal(iov, count uint64) (total uint64, e syscall.Errno) {
	if count > maxPieces {
		return 0, eINVAL
	}
	for i := range count {
		v, ok := loadPiece(iov, i)
		switch {
		case !ok:
			return 0, eFAULT
		case int64(v.size) < 0:
			return 0, eINVAL
		}
		total += v.size
	}
	return total, 0
}

// vector is readv(2) and writev(2).
func (c *cpu) vector(t *thread, nr uint64, fd int32, iov, count uint64) uint64 {
	return c.pieces(t, fd, iov, count, here, nr == syscall.SYS_WRITEV)
}

// here, as an offset, is where the file stands.
const here = -1

// vectorAt is preadv2(2) and pwritev2(2), whose offset may be here, and with
// allowHere false preadv(2) and pwritev(2). Of the flags those are known that make no
// difference to files in memory: to poll for what comes, to write it through.
func (c *cpu) vectorAt(t *thread, fd int32, iov, count uint64, offset int64, flags uint64, allowHere, writing bool) uint64 {
	const highPriority, dataSync, sync = 1, 2, 4
	if offset == here && allowHere {
		f := openFile(fd)
		switch {
		case f == nil:
			return errno(eBADF)
		case flags&^(highPriority|dataSync|sync) != 0:
			return errno(syscall.EOPNOTSUPP)
		}
		return c.pieces(t, fd, iov, count, here, writing)
	}
	f := openFile(fd)
	switch {
	case offset < 0:
		return errno(eINVAL)
	case f == nil:
		return errno(eBADF)
	case !f.seeks() && f.kind != fileEvent && f.kind != fileEpoll && f.kind != fileTimer:
		return errno(syscall.ESPIPE)
	case flags&^(highPriority|dataSync|sync) != 0:
		return errno(syscall.EOPNOTSUPP)
	}
	return c.pieces(t, fd, iov, count, offset, writing)
}

// pieces reads or writes one piece after the other, as far as it goes without waiting
// again.
func (c *cpu) pieces(t *thread, fd int32, iov, count uint64, offset int64, writing bool) uint64 {
	f := openFile(fd)
	if f == nil || writing && !f.writes() || !writing && !f.reads() {
		return errno(eBADF)
	}
	total, e := piecesTotal(iov, count)
	switch {
	case e != 0:
		return errno(e)
	case total == 0:
		return 0
	case f.kind == fileSocket || f.kind == fileUnix:
		if writing {
			return c.socketCall(t, syscall.SYS_WRITEV)
		}
		return c.socketCall(t, syscall.SYS_READV)
	}
	if f.kind == filePipe && writing && total <= pipeBuf {
		// Whole or not at all, as if it were one piece.
		if p := &pipes[f.object]; p.readers > 0 && pipeSize-p.used < total {
			return c.waitFor(t, f)
		}
	}
	flags := f.flags
	done := uint64(0)
	for i := range count {
		v, _ := loadPiece(iov, i)
		if v.size == 0 {
			continue
		}
		v.size = min(v.size, maxBytes-done)
		r := c.piece(t, fd, v, offset+int64(done), offset == here, writing)
		if int64(r) < 0 || r == blocked {
			if done == 0 {
				done = r
			}
			break
		}
		done += r
		if r < v.size {
			break
		}
		f.flags |= syscall.O_NONBLOCK // for the pieces to come
	}
	f.flags = flags
	return done
}

func (c *cpu) piece(t *thread, fd int32, v iovec, at int64, next, writing bool) uint64 {
	switch {
	case next && writing:
		return c.write(t, fd, v.base, v.size)
	case next:
		return c.read(t, fd, v.base, v.size)
	case writing:
		return c.pwrite(t, fd, v.base, v.size, at)
	}
	return c.pread(t, fd, v.base, v.size, at)
}

// vmsplice is vmsplice(2): bytes are copied, not lent.
func (c *cpu) vmsplice(t *thread, fd int32, iov, count, flags uint64) uint64 {
	f := openFile(fd)
	switch {
	case flags&^spliceFlags != 0:
		return errno(eINVAL)
	case f == nil || f.kind != filePipe:
		return errno(eBADF)
	}
	before := f.flags
	if flags&spliceNonblock != 0 {
		f.flags |= syscall.O_NONBLOCK
	}
	r := c.pieces(t, fd, iov, count, here, f.writes())
	f.flags = before
	return r
}
