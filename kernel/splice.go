//go:build metal

package kernel

import "syscall"

// Bytes that go into a pipe, out of one, or from one to another. See transfer.go.

// Flags of splice(2) and its relatives; the other two make no difference here.
const (
	spliceNonblock = 2
	spliceFlags    = 15
)

// splice is splice(2).
func (c *cpu) splice(t *thread, inFD int32, inOffset uint64, outFD int32, outOffset, n, flags uint64) uint64 {
	in, out := openFile(inFD), openFile(outFD)
	switch {
	case n == 0:
		return 0
	case flags&^spliceFlags != 0:
		return errno(eINVAL)
	case in == nil || out == nil:
		return errno(eBADF)
	case in.kind == filePipe && inOffset != 0 || out.kind == filePipe && outOffset != 0:
		return errno(syscall.ESPIPE)
	case !in.reads() || !out.writes():
		return errno(eBADF)
	case in.kind == filePipe && out.kind == filePipe:
		return c.splicePipes(t, in, out, n, flags, true)
	case in.kind == filePipe:
		return c.drain(t, in, out, outOffset, n, flags)
	case out.kind == filePipe:
		return c.feed(t, in, inOffset, out, n, flags)
	}
	return errno(eINVAL)
}

// drain moves bytes from a pipe to something else.
func (c *cpu) drain(t *thread, in, out *file, offset, n, flags uint64) uint64 {
	p := &pipes[in.object]
	to, e := out.position(offset)
	switch {
	case int64(n) < 0 || to.at < 0 || offset != 0 && !out.seeks() || out.kind == fileEvent || out.kind == fileEpoll || out.kind == fileTimer || out.kind == fileInotify:
		return errno(eINVAL)
	case e != 0:
		return errno(e)
	case out.kind == fileRegular && out.flags&syscall.O_APPEND != 0:
		return errno(eINVAL)
	case p.used == 0 && p.writers == 0:
		return 0
	case p.used == 0 && (flags&spliceNonblock != 0 || !in.waits()):
		return errno(eAGAIN)
	case p.used == 0:
		return c.wait(t, in)
	}
	done := uint64(0)
	for n = min(n, transferLimit); done < n && p.used > 0; {
		addr, k := p.from(0)
		r := c.put(t, out, to.at+int64(done), addr, min(k, n-done), out.waits() && done == 0)
		if int64(r) <= 0 {
			if done > 0 {
				break
			}
			if r == errno(eAGAIN) && out.waits() {
				return c.wait(t, out)
			}
			return r
		}
		p.take(r)
		done += r
	}
	p.notify(true, syscall.EPOLLOUT)
	if !out.seeks() {
		return done
	}
	return out.moved(to, done)
}

// feed moves bytes from something else to a pipe.
func (c *cpu) feed(t *thread, in *file, offset uint64, out *file, n, flags uint64) uint64 {
	p := &pipes[out.object]
	from, e := in.position(offset)
	switch {
	case int64(n) < 0 || from.at < 0 || offset != 0 && !in.seeks():
		return errno(eINVAL)
	case e != 0:
		return errno(e)
	case p.readers == 0:
		raise(t, int32(syscall.SIGPIPE), 0)
		return errno(syscall.EPIPE)
	case p.used == pipeSize && (flags&spliceNonblock != 0 || !out.waits()):
		return errno(eAGAIN)
	case p.used == pipeSize:
		return c.wait(t, out)
	case in.kind != fileSocket && in.kind != fileUnix:
		return in.moved(from, c.send(t, in, from.at, out, 0, n, false))
	}
	done := uint64(0)
	for done < n && p.used < pipeSize {
		addr, k := p.back()
		if addr == 0 {
			if done == 0 {
				return errno(syscall.ENOMEM)
			}
			break
		}
		r := c.socketTransfer(in, syscall.SYS_READ, addr, min(k, n-done), in.waits() && done == 0)
		if int64(r) <= 0 {
			if done > 0 {
				break
			}
			if r == errno(eAGAIN) && in.waits() {
				return c.wait(t, in)
			}
			return r
		}
		p.used += r
		done += r
	}
	if done > 0 {
		p.notify(false, syscall.EPOLLIN)
	}
	return done
}

// splicePipes moves bytes from one pipe to another or, as tee does, copies them.
func (c *cpu) splicePipes(t *thread, in, out *file, n, flags uint64, take bool) uint64 {
	from, to := &pipes[in.object], &pipes[out.object]
	waits := flags&spliceNonblock == 0 && in.waits() && out.waits()
	switch {
	case from == to:
		return errno(eINVAL)
	case from.used == 0 && from.writers > 0 && waits:
		return c.wait(t, in)
	case from.used == 0 && from.writers > 0:
		return errno(eAGAIN)
	case to.readers == 0:
		raise(t, int32(syscall.SIGPIPE), 0)
		return errno(syscall.EPIPE)
	case to.used == pipeSize && waits:
		return c.wait(t, out)
	case to.used == pipeSize:
		return errno(eAGAIN)
	}
	done, skip := uint64(0), uint64(0)
	for done < n && skip < from.used && to.used < pipeSize {
		addr, k := from.from(skip)
		r := to.fill(addr, min(k, n-done))
		if int64(r) < 0 {
			if done == 0 {
				return r
			}
			break
		}
		done += r
		if take {
			from.take(r)
		} else {
			skip += r
		}
	}
	if take {
		from.notify(true, syscall.EPOLLOUT)
	}
	return done
}

// tee is tee(2).
func (c *cpu) tee(t *thread, inFD, outFD int32, n, flags uint64) uint64 {
	in, out := openFile(inFD), openFile(outFD)
	switch {
	case flags&^spliceFlags != 0:
		return errno(eINVAL)
	case n == 0:
		return 0
	case in == nil || out == nil || !in.reads() || !out.writes():
		return errno(eBADF)
	case in.kind != filePipe || out.kind != filePipe:
		return errno(eINVAL)
	}
	return c.splicePipes(t, in, out, n, flags, false)
}
