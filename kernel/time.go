//go:build metal

package kernel

import "syscall"

// System calls about time. What happens often, clock_gettime, does not come
// here: see vdso.go.

// after returns the moment d nanoseconds from now, never 0, the value for "no
// deadline".
func after(d int64) int64 {
	now := nanotime()
	if d > forever-1-now {
		return forever - 1
	}
	return now + max(d, 0) + 1
}

// loadDuration reads a struct timespec.
func loadDuration(addr uint64) (ns int64, e syscall.Errno) {
	sec, ok := loadUser64(addr)
	nsec, ok2 := loadUser64(addr + 8)
	switch {
	case !ok || !ok2:
		return 0, eFAULT
	case int64(sec) < 0 || nsec >= 1e9:
		return 0, eINVAL
	case sec > 1<<33:
		return 1 << 33 * 1e9, 0
	}
	return int64(sec)*1e9 + int64(nsec), 0
}

// storeTimespec writes a struct timespec.
func storeTimespec(addr uint64, ns int64) bool {
	return storeUser64(addr, uint64(ns/1e9)) && storeUser64(addr+8, uint64(ns%1e9))
}

// timerSlack is how much later than asked a sleep may end, as on Linux. The
// runtime's monitor sleeps 20 µs at a time while anything happens and would
// cost an interrupt and two switches each time.
const timerSlack = 50e3

func (c *cpu) nanosleep(t *thread, addr uint64) uint64 {
	d, e := loadDuration(addr)
	if e != 0 {
		return errno(e)
	}
	t.ax = 0
	c.block(t, waitSleep, after(d+timerSlack))
	return blocked
}

// clockNanosleep is clock_nanosleep(2).
func (c *cpu) clockNanosleep(t *thread, which, flags, addr uint64) uint64 {
	switch which {
	case clockRealtime, clockMonotonic, clockBoottime, clockTAI:
	case clockProcess, clockThread, clockMonotonicRaw, clockRealtimeCoarse, clockMonotonicCoarse, clockRealtimeAlarm, clockBoottimeAlarm:
		return errno(syscall.EOPNOTSUPP)
	default:
		return errno(eINVAL)
	}
	d, e := loadDuration(addr)
	if e != 0 {
		return errno(e)
	}
	if flags&timerAbsolute == 0 {
		return c.nanosleep(t, addr)
	}
	if which == clockRealtime || which == clockTAI {
		d -= int64(clock.wall)
	}
	if d <= nanotime() {
		return 0
	}
	t.ax = 0
	c.block(t, waitSleep, d)
	return blocked
}

// storeRest writes how long a sleep that a signal ends would have gone on.
func (t *thread) storeRest() {
	addr := uint64(0)
	switch {
	case t.nr == syscall.SYS_NANOSLEEP:
		addr = t.si
	case t.nr == syscall.SYS_CLOCK_NANOSLEEP && t.si&timerAbsolute == 0:
		addr = t.r10
	}
	if addr != 0 {
		storeTimespec(addr, max(t.deadline-nanotime(), 0))
	}
}

// pause waits for a signal.
func (c *cpu) pause(t *thread) uint64 {
	c.block(t, waitSleep, 0)
	return blocked
}

// wallTime is the time in ns since 1970.
func wallTime() int64 { return nanotime() + int64(clock.wall) }

// Clocks by number (include/uapi/linux/time.h). Those that wake the machine up are only
// there for timers, as where Linux finds no clock that can. Nobody has told how far that of atomic
// time is from the other.
const (
	clockRealtime        = 0
	clockMonotonic       = 1
	clockProcess         = 2
	clockThread          = 3
	clockMonotonicRaw    = 4
	clockRealtimeCoarse  = 5
	clockMonotonicCoarse = 6
	clockBoottime        = 7
	clockRealtimeAlarm   = 8
	clockBoottimeAlarm   = 9
	clockTAI             = 11
)

// clockGetres is clock_getres(2).
func clockGetres(which, addr uint64) uint64 {
	if which > clockBoottime && which != clockTAI {
		return errno(eINVAL)
	}
	if addr != 0 && !storeTimespec(addr, 1) {
		return errno(eFAULT)
	}
	return 0
}

func clockGettime(t *thread, which, addr uint64) uint64 {
	var ns int64
	switch which {
	case clockRealtime, clockRealtimeCoarse, clockTAI:
		ns = wallTime()
	case clockMonotonic, clockMonotonicRaw, clockMonotonicCoarse, clockBoottime:
		ns = nanotime()
	case clockProcess, clockThread:
		c := thisCPU()
		c.account(t, nanotime())
		ns = t.used
		if which == clockProcess {
			ns = processTime()
		}
	default:
		return errno(eINVAL)
	}
	if !storeTimespec(addr, ns) {
		return errno(eFAULT)
	}
	return 0
}

func gettimeofday(addr uint64) uint64 {
	ns := wallTime()
	if !storeUser64(addr, uint64(ns/1e9)) || !storeUser64(addr+8, uint64(ns%1e9/1e3)) {
		return errno(eFAULT)
	}
	return 0
}
