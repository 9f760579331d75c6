//go:build metal

package kernel

import (
	"syscall"
)

// epoll. An item is one descriptor watched by one epoll file. Items that may
// have something to report stand in the ready list of their epoll file, once.
// Edge-triggered means that an item leaves the list when it is reported and
// comes back with the next event, whether or not it was ready all along.

const maxItems = 8192

type epollItem struct {
	used     bool
	listed   bool // in the ready list
	events   uint32
	fd       int32
	file     int32 // watched
	epoll    int32 // file index of the epoll
	nextItem int32 // of the same watched file
	next     int32 // in the ready list
	data     uint64

	// Neighbours among the items of the same epoll.
	older, newer int32
}

// itemList is a queue of items by index and 1.
type itemList struct{ first, last int32 }

var (
	items    [maxItems]epollItem
	nextItem int32
)

const (
	epollET      = 1 << 31
	epollOneshot = 1 << 30
	epollAlways  = syscall.EPOLLERR | syscall.EPOLLHUP
	epollBits    = 0xFFFF
)

func (l *itemList) push(i int32) {
	it := &items[i-1]
	it.next, it.listed = 0, true
	if l.last == 0 {
		l.first = i
	} else {
		items[l.last-1].next = i
	}
	l.last = i
}

func (l *itemList) pop() int32 {
	i := l.first
	it := &items[i-1]
	l.first = it.next
	if l.first == 0 {
		l.last = 0
	}
	it.next, it.listed = 0, false
	return i
}

// remove takes out an item that is listed.
func (l *itemList) remove(i int32) {
	prev := int32(0)
	for k := l.first; k != i; k = items[k-1].next {
		prev = k
	}
	it := &items[i-1]
	if prev == 0 {
		l.first = it.next
	} else {
		items[prev-1].next = it.next
	}
	if l.last == i {
		l.last = prev
	}
	it.next, it.listed = 0, false
}

// maxNests is how many epolls may watch each other in a row (EP_MAX_NESTS).
const maxNests = 4

// nests reports whether f, an epoll, watches others at most depth deep and does not
// watch e.
func (f *file) nests(e int32, depth int) bool {
	for i := f.members; i != 0; i = items[i-1].older {
		w := &files[items[i-1].file]
		if w.kind == fileEpoll && (items[i-1].file == e || depth == 0 || !w.nests(e, depth-1)) {
			return false
		}
	}
	return true
}

// height is how many epolls watch e in a row.
func (f *file) height(most int) int {
	h := 0
	for i := f.items; i != 0 && most > 0; i = items[i-1].nextItem {
		h = max(h, 1+files[items[i-1].epoll].height(most-1))
	}
	return h
}

// epollCreate is epoll_create1(2).
func epollCreate(flags uint64) uint64 {
	if flags&^syscall.O_CLOEXEC != 0 {
		return errno(eINVAL)
	}
	return newFile(fileEpoll, uint32(flags)|syscall.O_RDWR)
}

func epollCtl(epfd int32, op uint64, fd int32, event uint64) uint64 {
	e, f := openFile(epfd), openFile(fd)
	switch {
	case e == nil || f == nil:
		return errno(eBADF)
	case e.kind != fileEpoll || e == f:
		return errno(eINVAL)
	}
	switch f.kind {
	case fileEvent, filePipe, fileSocket, fileUnix, fileTimer, fileInotify, fileConsole:
	case fileEpoll:
		if op == syscall.EPOLL_CTL_ADD && !f.nests(fileIndex(e), maxNests-1-e.height(maxNests)) {
			return errno(syscall.ELOOP)
		}
	default:
		return errno(syscall.EPERM) // always ready
	}
	var events uint32
	var data uint64
	if op != syscall.EPOLL_CTL_DEL {
		ev, ok := loadUser32(event) // struct epoll_event is packed
		d, ok2 := loadUser64(event + 4)
		if !ok || !ok2 {
			return errno(eFAULT)
		}
		events, data = ev, d
	}
	i := findItem(f, fileIndex(e), fd)
	switch op {
	case syscall.EPOLL_CTL_ADD:
		if i != 0 {
			return errno(syscall.EEXIST)
		}
		if i = newItem(e, f, fd); i == 0 {
			return errno(syscall.ENOSPC)
		}
	case syscall.EPOLL_CTL_MOD:
		if i == 0 {
			return errno(syscall.ENOENT)
		}
	case syscall.EPOLL_CTL_DEL:
		if i == 0 {
			return errno(syscall.ENOENT)
		}
		freeItem(i)
		return 0
	default:
		return errno(eINVAL)
	}
	it := &items[i-1]
	it.events, it.data = events, data
	if it.ready() != 0 {
		itemReady(i)
	}
	return 0
}

func findItem(f *file, epoll, fd int32) int32 {
	for i := f.items; i != 0; i = items[i-1].nextItem {
		if items[i-1].epoll == epoll && items[i-1].fd == fd {
			return i
		}
	}
	return 0
}

// newItem makes epoll e watch a descriptor of f, for nothing yet. It is 0 if there
// are too many.
func newItem(e, f *file, fd int32) int32 {
	for range maxItems {
		i := nextItem + 1
		nextItem = i % maxItems
		if items[i-1].used {
			continue
		}
		items[i-1] = epollItem{used: true, fd: fd, file: fileIndex(f), epoll: fileIndex(e), nextItem: f.items, older: e.members}
		if e.members != 0 {
			items[e.members-1].newer = i
		}
		f.items, e.members = i, i
		return i
	}
	return 0
}

// freeItem ends the watching of one descriptor by one epoll.
func freeItem(i int32) {
	it := &items[i-1]
	if it.listed {
		files[it.epoll].readyList.remove(i)
	}
	f := &files[it.file]
	if f.items == i {
		f.items = it.nextItem
	} else {
		for k := f.items; k != 0; k = items[k-1].nextItem {
			if items[k-1].nextItem == i {
				items[k-1].nextItem = it.nextItem
			}
		}
	}
	if it.older != 0 {
		items[it.older-1].newer = it.newer
	}
	if it.newer != 0 {
		items[it.newer-1].older = it.older
	} else {
		files[it.epoll].members = it.older
	}
	*it = epollItem{}
}

// epollForgetFD ends all watching of a descriptor that is closed. Linux keeps
// watching while another descriptor of the file is open; the one that it would
// report is the closed one, which is of no use to anybody.
func epollForgetFD(f *file, fd int32) {
	for i := f.items; i != 0; {
		next := items[i-1].nextItem
		if items[i-1].fd == fd {
			freeItem(i)
		}
		i = next
	}
}

func epollClose(e *file) {
	for e.members != 0 {
		freeItem(e.members)
	}
}

// epollNotify tells the epolls that watch f of an event.
func epollNotify(f *file, mask uint32) {
	for i := f.items; i != 0; i = items[i-1].nextItem {
		if normal(mask)&(items[i-1].events|epollAlways)&epollBits != 0 {
			itemReady(i)
		}
	}
}

func itemReady(i int32) {
	it := &items[i-1]
	e := &files[it.epoll]
	if !it.listed {
		e.readyList.push(i)
	}
	if e.waiters.first != 0 {
		wakeWaiter(e)
	}
	if e.items != 0 {
		epollNotify(e, syscall.EPOLLIN)
	}
}

// epollPwait is epoll_pwait(2), with a timeout in ns.
func (c *cpu) epollPwait(t *thread, epfd int32, events uint64, most int32, timeout int64, mask, size uint64) uint64 {
	if e := t.swapMask(mask, size); e != 0 {
		return errno(e)
	}
	return c.epollWait(t, epfd, events, most, timeout)
}

// epollPwait2 is epoll_pwait2(2), with a struct timespec.
func (c *cpu) epollPwait2(t *thread, epfd int32, events uint64, most int32, at, mask, size uint64) uint64 {
	timeout, e := loadTimeout(at)
	if e != 0 {
		return errno(e)
	}
	return c.epollPwait(t, epfd, events, most, timeout, mask, size)
}

func (c *cpu) epollWait(t *thread, epfd int32, events uint64, most int32, timeout int64) uint64 {
	e := fileOf(epfd)
	switch {
	case e == nil:
		return errno(eBADF)
	case e.kind != fileEpoll || most <= 0:
		return errno(eINVAL)
	}
	n := uint64(0)
	tail := e.readyList.last
	for e.readyList.first != 0 && n < uint64(most) {
		i := e.readyList.pop()
		it := &items[i-1]
		if r := it.ready(); r != 0 {
			if !storeUser32(events+n*12, r) || !storeUser64(events+n*12+4, it.data) {
				e.readyList.push(i)
				return errno(eFAULT)
			}
			n++
			switch {
			case it.events&epollOneshot != 0:
				it.events &= epollET | epollOneshot
			case it.events&epollET == 0:
				e.readyList.push(i) // level-triggered: to be looked at again
			}
		}
		if i == tail {
			break
		}
	}
	switch {
	case n > 0:
		return n
	case timeout == 0 || t.expired():
		return 0
	}
	return c.awaitEpoll(t, e, timeout)
}

// awaitEpoll waits for an item of e to become ready, and then makes the call again.
func (c *cpu) awaitEpoll(t *thread, e *file, timeout int64) uint64 {
	deadline := int64(0)
	switch {
	case t.again:
		deadline = t.deadline
	case timeout > 0:
		deadline = after(timeout)
	}
	t.waitOn = uint64(fileIndex(e))
	e.waiters.append(t)
	c.block(t, waitEpoll, deadline)
	return blocked
}

// expired reports whether the call is made again, and its time is over.
func (t *thread) expired() bool {
	return t.again && t.deadline != 0 && t.deadline <= nanotime()
}
