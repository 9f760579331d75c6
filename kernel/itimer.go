//go:build metal

package kernel

import "syscall"

// The timers of setitimer(2): of real time, which sends SIGALRM, and of processor time,
// which sends SIGPROF (profile.go). That of the program's own time is not there, as the
// two kinds of time are not kept apart.

const (
	itimerReal = 0
	itimerProf = 2
)

// getitimer is getitimer(2).
func getitimer(which, at uint64) uint64 {
	interval, left := int64(0), int64(0)
	switch which {
	case itimerReal:
		interval, left = timers[alarmTimer].interval, timers[alarmTimer].left()
	case itimerProf:
		p := processProfile.get()
		interval, left = p.interval, p.left
	default:
		return errno(eINVAL)
	}
	if !storeTimeval(at, interval) || !storeTimeval(at+16, left) {
		return errno(eFAULT)
	}
	return 0
}

// setitimer is setitimer(2).
func (c *cpu) setitimer(which, set, get uint64) uint64 {
	if which != itimerReal && which != itimerProf {
		return errno(eINVAL)
	}
	var interval, left int64
	if set != 0 { // else it is stopped, which only Linux allows
		var e, e2 syscall.Errno
		interval, e = loadTimeval(set)
		left, e2 = loadTimeval(set + 16)
		switch {
		case e == eFAULT || e2 == eFAULT:
			return errno(eFAULT)
		case e != 0 || e2 != 0:
			return errno(eINVAL)
		}
	}
	if get != 0 {
		if r := getitimer(which, get); r != 0 {
			return r
		}
	}
	if which == itimerProf {
		processProfile.set(cpuTimer{interval: interval, left: left})
	} else {
		c.setAlarm(interval, left)
	}
	return 0
}

func (c *cpu) setAlarm(interval, left int64) {
	x := &timers[alarmTimer]
	x.stop()
	x.interval = interval
	if left != 0 {
		c.startTimer(x, after(left))
	}
}

// alarm is alarm(2), in whole seconds.
func (c *cpu) alarm(seconds uint64) uint64 {
	left := uint64(timers[alarmTimer].left()+5e8) / 1e9
	if left == 0 && timers[alarmTimer].deadline != 0 {
		left = 1
	}
	c.setAlarm(0, int64(uint32(seconds))*1e9)
	return left
}

// loadTimeval reads a struct timeval.
func loadTimeval(addr uint64) (ns int64, e syscall.Errno) {
	sec, ok := loadUser64(addr)
	usec, ok2 := loadUser64(addr + 8)
	switch {
	case !ok || !ok2:
		return 0, eFAULT
	case int64(sec) < 0 || usec >= 1e6:
		return 0, eINVAL
	}
	return int64(min(sec, 1<<33)*1e9 + usec*1e3), 0
}

func storeTimeval(addr uint64, ns int64) bool {
	return storeUser64(addr, uint64(ns/1e9)) && storeUser64(addr+8, uint64(ns%1e9/1e3))
}
