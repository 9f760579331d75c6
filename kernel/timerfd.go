//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// Timers that are files: timerfd_create(2). Each processor has a list of those that
// were set on it, the next to run out first, and its timer interrupts for them as it
// does for threads that sleep.

const maxTimers = 1024

type timer struct {
	file     int32 // file and 1; 0: free
	wall     bool  // it counts the time since 1970
	absolute bool  // it waits for a moment
	cancel   bool  // reads are to fail when the clock is set
	canceled bool  // the next one does
	deadline int64 // by nanotime, 0 if it is not set
	interval int64 // ns, 0 if it runs out once
	cpu      int32 // in whose list it is, if it is set
	next     int32 // timer and 1
}

// timers are those of files, and behind them the one of setitimer(2) that sends SIGALRM.
var timers [maxTimers + 1]timer

// alarmTimer is the index of the latter.
const alarmTimer = maxTimers

// index is the inverse of &timers[i].
func (x *timer) index() int32 {
	return int32((uintptr(unsafe.Pointer(x)) - uintptr(unsafe.Pointer(&timers))) / unsafe.Sizeof(*x))
}

const (
	timerAbsolute    = 1
	timerCancelOnSet = 2
)

// timerfdCreate is timerfd_create(2).
func timerfdCreate(clock, flags uint64) uint64 {
	wall := clock == clockRealtime || clock == clockRealtimeAlarm
	if flags&^(syscall.O_NONBLOCK|syscall.O_CLOEXEC) != 0 ||
		!wall && clock != clockMonotonic && clock != clockBoottime && clock != clockBoottimeAlarm {
		return errno(eINVAL)
	}
	for i := range alarmTimer {
		if timers[i].file != 0 {
			continue
		}
		fd := newObject(fileTimer, int32(i), uint32(flags)|syscall.O_RDWR)
		if int64(fd) >= 0 {
			timers[i] = timer{file: fds[fd], wall: wall}
		}
		return fd
	}
	return errno(syscall.ENFILE)
}

func closeTimer(f *file) {
	x := &timers[f.object]
	x.stop()
	*x = timer{}
}

// timerOf is the timer behind a descriptor.
func timerOf(fd int32) (*timer, syscall.Errno) {
	f := openFile(fd)
	switch {
	case f == nil:
		return nil, eBADF
	case f.kind != fileTimer:
		return nil, eINVAL
	}
	return &timers[f.object], 0
}

// timerfdSettime is timerfd_settime(2).
func (c *cpu) timerfdSettime(fd int32, flags, set, old uint64) uint64 {
	interval, e := loadDuration(set)
	first, e2 := loadDuration(set + 16)
	x, e3 := timerOf(fd)
	switch {
	case e == eFAULT || e2 == eFAULT:
		return errno(eFAULT)
	case flags&^(timerAbsolute|timerCancelOnSet) != 0 || e != 0 || e2 != 0:
		return errno(eINVAL)
	case e3 != 0:
		return errno(e3)
	}
	left, before := x.left(), x.interval
	x.stop()
	files[x.file-1].count = 0
	x.interval, x.absolute = interval, flags&timerAbsolute != 0
	x.cancel, x.canceled = flags == timerAbsolute|timerCancelOnSet, false
	if first != 0 {
		deadline := after(first)
		if flags&timerAbsolute != 0 {
			deadline = first
			if x.wall {
				deadline -= int64(clock.wall)
			}
		}
		c.startTimer(x, max(deadline, 1))
	}
	if old != 0 && (!storeTimespec(old, before) || !storeTimespec(old+16, left)) {
		return errno(eFAULT)
	}
	return 0
}

// timerfdGettime is timerfd_gettime(2).
func timerfdGettime(fd int32, at uint64) uint64 {
	x, e := timerOf(fd)
	if e != 0 {
		return errno(e)
	}
	if !storeTimespec(at, x.interval) || !storeTimespec(at+16, x.left()) {
		return errno(eFAULT)
	}
	return 0
}

// left is how long until x runs out, 0 if it is not set.
func (x *timer) left() int64 {
	if x.deadline == 0 {
		return 0
	}
	return max(x.deadline-nanotime(), 1)
}

// startTimer sets x, which is in no list.
func (c *cpu) startTimer(x *timer, deadline int64) {
	x.deadline, x.cpu = deadline, c.id
	at := &c.timers
	for *at != 0 && timers[*at-1].deadline <= deadline {
		at = &timers[*at-1].next
	}
	x.next, *at = *at, x.index()+1
	c.settleTimers()
}

// settleTimers tells the processor when the first of its timers runs out.
func (c *cpu) settleTimers() {
	at := int64(0)
	if c.timers != 0 {
		at = timers[c.timers-1].deadline
	}
	c.timerAt.Store(at)
}

// stop takes x out of its list, if it is set.
func (x *timer) stop() {
	if x.deadline == 0 {
		return
	}
	at := &cpus[x.cpu].timers
	for &timers[*at-1] != x {
		at = &timers[*at-1].next
	}
	*at, x.deadline, x.next = x.next, 0, 0
	cpus[x.cpu].settleTimers()
}

// runSetTimers makes the files of timers readable that have run out, or sends the
// signal.
func (c *cpu) runSetTimers(now int64) {
	for c.timers != 0 && timers[c.timers-1].deadline <= now {
		x := &timers[c.timers-1]
		late := now - x.deadline
		deadline := x.deadline
		x.stop()
		times := int64(1)
		if x.interval != 0 {
			times += late / x.interval
			c.startTimer(x, deadline+times*x.interval)
		}
		if x.index() == alarmTimer {
			kill(processID, uint64(syscall.SIGALRM))
			continue
		}
		f := &files[x.file-1]
		f.count += uint64(times)
		notify(f, syscall.EPOLLIN)
	}
}

// readTimer reads how often a timer has run out since the last time.
func (c *cpu) readTimer(t *thread, f *file, buf, n uint64) uint64 {
	x := &timers[f.object]
	switch {
	case n < 8:
		return errno(eINVAL)
	case x.canceled:
		x.canceled = false
		return errno(syscall.ECANCELED)
	case f.count == 0:
		return c.waitFor(t, f)
	case !storeUser64(buf, f.count):
		return errno(eFAULT)
	}
	f.count = 0
	return 8
}
