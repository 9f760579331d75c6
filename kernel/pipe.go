//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
	"nuos/mm"
)

// Pipes, with a name or without: a ring of pages, which are taken when they are
// written and given back when they have been read. A pipe exists as long as it
// has an end, a file of kind filePipe; each end is for reading, for writing or,
// as a FIFO may be opened, for both.

const (
	maxPipes  = 1024
	pipePages = 16
	pipeSize  = pipePages * mm.PageSize // Linux's, of pipe(7)
	pipeBuf   = 4096                    // writes up to this are whole or not at all, PIPE_BUF
)

type pipe struct {
	node             ramfs.Node // held by the ends; 0: the pipe is free
	pages            [pipePages]uintptr
	start, used      uint64
	readers, writers int32
	ends             int32 // file and 1, chained by nextEnd

	// opened counts writers that ever came. A reader keeps in file.count what
	// it was when it came: the end of file is an event only after that.
	opened uint64
}

var pipes [maxPipes]pipe

func (f *file) reads() bool  { return f.flags&syscall.O_ACCMODE != syscall.O_WRONLY }
func (f *file) writes() bool { return f.flags&syscall.O_ACCMODE != syscall.O_RDONLY }

// pipe2 is pipe2(2).
func (c *cpu) pipe2(t *thread, addr, flags uint64) uint64 {
	if flags&^(syscall.O_NONBLOCK|syscall.O_CLOEXEC) != 0 {
		return errno(eINVAL)
	}
	n, e := ramfs.New(syscall.S_IFIFO | 0o600)
	if e != 0 {
		return errno(e)
	}
	r := c.openEnd(t, n, uint32(flags)|syscall.O_RDONLY)
	w := r
	if int64(r) >= 0 {
		w = c.openEnd(t, n, uint32(flags)|syscall.O_WRONLY)
	}
	n.Release()
	result := uint64(0)
	switch {
	case int64(r) < 0:
		return r
	case int64(w) < 0:
		result = w
	case storeUser32(addr, uint32(r)) && storeUser32(addr+4, uint32(w)):
		return 0
	default:
		c.closeFD(t, int32(w))
		result = errno(eFAULT)
	}
	c.closeFD(t, int32(r))
	return result
}

// openEnd opens a descriptor for a new end.
func (c *cpu) openEnd(t *thread, n ramfs.Node, flags uint32) uint64 {
	f, e := newEnd(n, flags)
	if e != 0 {
		return errno(e)
	}
	return c.openEndFD(t, f, flags)
}

func (c *cpu) openEndFD(t *thread, f int32, flags uint32) uint64 {
	fd := openFD(f, 0, flags&syscall.O_CLOEXEC != 0)
	if int64(fd) < 0 {
		c.closeFile(t, &files[f])
	}
	return fd
}

// newEnd makes a file for an end of the pipe that n stands for.
func newEnd(n ramfs.Node, flags uint32) (int32, syscall.Errno) {
	object := n.Object() // index of the pipe and 1
	for i := 0; *object == 0; i++ {
		if i == maxPipes {
			return 0, syscall.ENFILE
		}
		if pipes[i].node == 0 {
			*object = uint64(i) + 1
		}
	}
	p := &pipes[*object-1]
	f := allocFile(filePipe, int32(*object-1), flags)
	if f < 0 {
		if p.ends == 0 {
			*object = 0
		}
		return 0, syscall.ENFILE
	}
	n.Hold()
	p.node, files[f].node = n, n
	files[f].nextEnd, p.ends = p.ends, f+1
	if files[f].reads() {
		p.readers++
		files[f].count = p.opened
		if p.writers > 0 {
			files[f].count-- // it came before its last writer goes
		}
	}
	if files[f].writes() {
		p.writers++
		p.opened++
	}
	return f, 0
}

// pipeOf is the pipe that n stands for, nil if nobody has it open.
func pipeOf(n ramfs.Node) *pipe {
	if i := *n.Object(); i != 0 {
		return &pipes[i-1]
	}
	return nil
}

// notify tells all ends for reading, or all for writing, of an event.
func (p *pipe) notify(writers bool, mask uint32) {
	for i := p.ends; i != 0; {
		f := &files[i-1]
		i = f.nextEnd
		if writers && f.writes() || !writers && f.reads() {
			notify(f, mask)
		}
	}
}

func (f *file) pipeReadiness() uint32 {
	p := &pipes[f.object]
	r := uint32(0)
	if f.reads() {
		if p.used > 0 {
			r |= syscall.EPOLLIN
		}
		if p.writers == 0 && p.opened != f.count {
			r |= syscall.EPOLLHUP
		}
	}
	if f.writes() {
		if pipeSize-p.used >= pipeBuf {
			r |= syscall.EPOLLOUT
		}
		if p.readers == 0 {
			r |= syscall.EPOLLERR
		}
	}
	return r
}

// from is where the bytes of a pipe lie after the first skip, and how many follow
// there.
func (p *pipe) from(skip uint64) (addr uintptr, n uint64) {
	at := (p.start + skip) % pipeSize
	in := at % mm.PageSize
	return p.pages[at/mm.PageSize] + uintptr(in), min(p.used-skip, mm.PageSize-in)
}

// take removes the first n bytes, which lie in one page.
func (p *pipe) take(n uint64) {
	slot := &p.pages[p.start/mm.PageSize]
	endOfPage := p.start%mm.PageSize+n == mm.PageSize
	p.used -= n
	p.start = (p.start + n) % pipeSize
	if endOfPage && p.used <= pipeSize-mm.PageSize { // else the last bytes lie in it too
		freeFrames(*slot)
		*slot = 0
	}
	if slot := &p.pages[p.start/mm.PageSize]; p.used == 0 && *slot != 0 {
		// The page in use stays the first, so that an alternation of short
		// writes and reads takes no other.
		page := *slot
		*slot, p.start, p.pages[0] = 0, 0, page
	}
}

// back is where the next bytes go, and how many there is room for there: none if
// the pipe is full, and no address either if there is no memory.
func (p *pipe) back() (addr uintptr, room uint64) {
	at := (p.start + p.used) % pipeSize
	slot := &p.pages[at/mm.PageSize]
	if *slot == 0 {
		frame, ok := allocFrames(0)
		if !ok {
			return 0, 0
		}
		*slot = frame
	}
	in := at % mm.PageSize
	return *slot + uintptr(in), min(pipeSize-p.used, mm.PageSize-in)
}

func (c *cpu) readPipe(t *thread, f *file, buf, n uint64) uint64 {
	p := &pipes[f.object]
	switch {
	case !f.reads():
		return errno(eBADF)
	case n == 0:
		return 0
	case p.used == 0 && p.writers == 0:
		return 0
	case p.used == 0:
		return c.waitFor(t, f)
	}
	done := uint64(0)
	for done < n && p.used > 0 {
		addr, k := p.from(0)
		k = min(k, n-done)
		if !copyBytes(uintptr(buf+done), addr, uintptr(k)) {
			if done == 0 {
				return errno(eFAULT)
			}
			break
		}
		p.take(k)
		done += k
	}
	p.notify(true, syscall.EPOLLOUT)
	return done
}

// writePipe writes what fits, which callers must be prepared for; like Linux it
// writes pieces of up to PIPE_BUF whole or not at all.
func (c *cpu) writePipe(t *thread, f *file, buf, n uint64) uint64 {
	p := &pipes[f.object]
	free := pipeSize - p.used
	switch {
	case !f.writes():
		return errno(eBADF)
	case n == 0:
		return 0
	case p.readers == 0:
		raise(t, int32(syscall.SIGPIPE), 0)
		return errno(syscall.EPIPE)
	case free == 0 || n <= pipeBuf && n > free:
		return c.waitFor(t, f)
	}
	return p.fill(uintptr(buf), n)
}

// fill writes what fits, at least one byte.
// Precondition: the pipe is not full.
func (p *pipe) fill(buf uintptr, n uint64) uint64 {
	done := uint64(0)
	e := syscall.ENOMEM
	for done < n && p.used < pipeSize {
		addr, k := p.back()
		if addr == 0 {
			break
		}
		k = min(k, n-done)
		if !copyBytes(addr, buf+uintptr(done), uintptr(k)) {
			e = eFAULT
			break
		}
		p.used += k
		done += k
	}
	if done == 0 {
		return errno(e)
	}
	p.notify(false, syscall.EPOLLIN)
	return done
}

// closePipeEnd is called when the last descriptor of an end is closed.
func closePipeEnd(f *file) {
	p := &pipes[f.object]
	at := &p.ends
	for *at != fileIndex(f)+1 {
		at = &files[*at-1].nextEnd
	}
	*at = f.nextEnd
	if f.reads() {
		if p.readers--; p.readers == 0 {
			p.notify(true, syscall.EPOLLOUT|syscall.EPOLLERR)
		}
	}
	if f.writes() {
		if p.writers--; p.writers == 0 {
			p.notify(false, syscall.EPOLLIN|syscall.EPOLLHUP)
		}
	}
	if p.ends == 0 {
		for _, page := range p.pages {
			if page != 0 {
				freeFrames(page)
			}
		}
		*f.node.Object() = 0
		*p = pipe{}
	}
}

const (
	fSetPipeSize = 1031 // F_SETPIPE_SZ
	fGetPipeSize = 1032
)

// pipeSizeOf is F_GETPIPE_SZ and F_SETPIPE_SZ: pipes have one size, which may be
// more than was asked for and is returned, but never less.
func pipeSizeOf(f *file, op, size uint64) uint64 {
	switch {
	case f.kind != filePipe:
		return errno(eBADF)
	case op == fSetPipeSize && size > pipeSize:
		return errno(syscall.EPERM)
	}
	return pipeSize
}
