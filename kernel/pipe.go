//go:build metal

package kernel

import "syscall"

// Pipes: a ring of one frame each.

const (
	maxPipes = 256
	pipeSize = 4096
)

type pipe struct {
	buffer         uintptr // 0: the pipe is free
	start, used    uint64
	reader, writer int32 // file index and 1, 0 when closed
}

var pipes [maxPipes]pipe

func pipe2(addr, flags uint64) uint64 {
	for i := range pipes {
		p := &pipes[i]
		if p.buffer != 0 {
			continue
		}
		frame, ok := allocFrames(0)
		if !ok {
			return errno(syscall.ENOMEM)
		}
		*p = pipe{buffer: frame}
		nonblock := uint32(flags & syscall.O_NONBLOCK)
		r := newObject(filePipeRead, int32(i), nonblock|syscall.O_RDONLY)
		w := newObject(filePipeWrite, int32(i), nonblock|syscall.O_WRONLY)
		if int64(r) >= 0 {
			p.reader = fds[r]
		}
		if int64(w) >= 0 {
			p.writer = fds[w]
		}
		bad := uint64(0)
		switch {
		case int64(r) < 0:
			bad = r
		case int64(w) < 0:
			bad = w
		case !storeUser32(addr, uint32(r)) || !storeUser32(addr+4, uint32(w)):
			bad = errno(eFAULT)
		}
		if bad == 0 {
			return 0
		}
		c := thisCPU()
		if int64(w) >= 0 {
			c.closeFD(nil, int32(w))
		}
		if int64(r) >= 0 {
			c.closeFD(nil, int32(r))
		}
		if p.reader == 0 && p.writer == 0 && p.buffer != 0 {
			freeFrames(p.buffer)
			p.buffer = 0
		}
		return bad
	}
	return errno(syscall.ENFILE)
}

func (c *cpu) readPipe(t *thread, f *file, buf, n uint64) uint64 {
	p := &pipes[f.object]
	if p.used == 0 {
		if p.writer == 0 || n == 0 {
			return 0
		}
		return c.waitFor(t, f)
	}
	done := uint64(0)
	for done < n && p.used > 0 {
		k := min(n-done, p.used, pipeSize-p.start)
		if !copyBytes(uintptr(buf+done), p.buffer+uintptr(p.start), uintptr(k)) {
			return errno(eFAULT)
		}
		p.start = (p.start + k) % pipeSize
		p.used -= k
		done += k
	}
	if p.writer != 0 {
		notify(&files[p.writer-1], syscall.EPOLLOUT)
	}
	return done
}

// writePipe writes what fits; like Linux it writes pieces of up to a pipe's
// size whole or not at all.
func (c *cpu) writePipe(t *thread, f *file, buf, n uint64) uint64 {
	p := &pipes[f.object]
	if p.reader == 0 {
		if t != nil {
			raise(t, int32(syscall.SIGPIPE), 0)
		}
		return errno(syscall.EPIPE)
	}
	free := pipeSize - p.used
	if n > 0 && (free == 0 || n <= pipeSize && n > free) {
		return c.waitFor(t, f)
	}
	done := uint64(0)
	for done < n && p.used < pipeSize {
		at := (p.start + p.used) % pipeSize
		k := min(n-done, pipeSize-p.used, pipeSize-at)
		if !copyBytes(p.buffer+uintptr(at), uintptr(buf+done), uintptr(k)) {
			return errno(eFAULT)
		}
		p.used += k
		done += k
	}
	notify(&files[p.reader-1], syscall.EPOLLIN)
	return done
}

// closePipeEnd is called when the last descriptor of an end is closed.
func closePipeEnd(f *file) {
	p := &pipes[f.object]
	if f.kind == filePipeRead {
		p.reader = 0
		if p.writer != 0 {
			notify(&files[p.writer-1], syscall.EPOLLOUT|syscall.EPOLLERR)
		}
	} else {
		p.writer = 0
		if p.reader != 0 {
			notify(&files[p.reader-1], syscall.EPOLLIN|syscall.EPOLLHUP)
		}
	}
	if p.reader == 0 && p.writer == 0 {
		freeFrames(p.buffer)
		p.buffer = 0
	}
}
