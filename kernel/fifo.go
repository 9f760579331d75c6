//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
)

// Opening pipes that have a name (fifo(7)). Whoever opens one for reading waits
// until somebody opens it for writing, and the other way round. The end is there
// while its thread waits, so that the other side may write and close without
// losing anything; it is the thread's until it has a descriptor.

// openFIFO is open(2) of a FIFO.
func (c *cpu) openFIFO(t *thread, n ramfs.Node, flags uint32) uint64 {
	access, nonblock := flags&syscall.O_ACCMODE, flags&syscall.O_NONBLOCK != 0
	if p := pipeOf(n); access == syscall.O_WRONLY && nonblock && (p == nil || p.readers == 0) {
		return errno(syscall.ENXIO)
	}
	i, e := newEnd(n, flags)
	if e != 0 {
		return errno(e)
	}
	f := &files[i]
	p := &pipes[f.object]
	p.meet(f)
	if nonblock || p.readers > 0 && p.writers > 0 {
		return c.openEndFD(t, i, flags)
	}
	f.opening = true
	t.owns = i + 1
	return c.wait(t, f)
}

// meet ends the waiting of ends for one such as f.
func (p *pipe) meet(f *file) {
	for i := p.ends; i != 0; {
		o := &files[i-1]
		i = o.nextEnd
		if o.opening && (o.reads() && f.writes() || o.writes() && f.reads()) {
			o.opening = false
			for o.waiters.first != 0 {
				wakeWaiter(o)
			}
		}
	}
}

// finishOpen is openFIFO made again: somebody has come.
func (c *cpu) finishOpen(t *thread, flags uint64) uint64 {
	i := t.owns - 1
	if files[i].opening {
		return c.wait(t, &files[i])
	}
	t.owns = 0
	return c.openEndFD(t, i, uint32(flags))
}

// disown closes the file that is there for t's call alone, because the call ends.
func (c *cpu) disown(t *thread) {
	if i := t.owns; i != 0 {
		t.owns = 0
		c.closeFile(t, &files[i-1])
	}
}
