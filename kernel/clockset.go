//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// Setting the clock of the time since 1970, which other clocks do not notice.

const (
	capSysTime = 25
	latestTime = uint64(1) << 62 // ns
)

// setWallTime makes ns the time. Timers that wait for a moment by this clock wait
// longer, or shorter, for it.
func (c *cpu) setWallTime(ns int64) uint64 {
	switch {
	case !capable(capSysTime):
		return errno(syscall.EPERM)
	case ns < nanotime():
		return errno(eINVAL) // before 1970 when the machine started, as on Linux
	}
	step := ns - wallTime()
	clock.wall += uint64(step) // one word, which programs read without a lock
	for i := range timers {
		x := &timers[i]
		if x.deadline == 0 || !x.wall || !x.absolute {
			continue
		}
		deadline := max(x.deadline-step, 1)
		x.stop()
		c.startTimer(x, deadline)
		if x.cancel {
			x.canceled = true
			notify(&files[x.file-1], syscall.EPOLLIN)
		}
	}
	return 0
}

// clockSettime is clock_settime(2).
func (c *cpu) clockSettime(which, at uint64) uint64 {
	if which != clockRealtime {
		return errno(eINVAL)
	}
	ns, e := loadDuration(at)
	switch {
	case e != 0:
		return errno(e)
	case uint64(ns) >= latestTime:
		return errno(eINVAL)
	}
	return c.setWallTime(ns)
}

// settimeofday is settimeofday(2). There are no time zones in the kernel.
func (c *cpu) settimeofday(at uint64) uint64 {
	if at == 0 {
		return 0
	}
	sec, ok := loadUser64(at)
	usec, ok2 := loadUser64(at + 8)
	switch {
	case !ok || !ok2:
		return errno(eFAULT)
	case sec >= latestTime/1e9 || usec >= 1e6:
		return errno(eINVAL)
	}
	return c.setWallTime(int64(sec)*1e9 + int64(usec)*1e3)
}

// adjtimex is adjtimex(2) as far as it reads: nobody keeps the clock in step with
// another, which is what the result says.
func adjtimex(at uint64) uint64 {
	const unsynchronised, timeError = 0x40, 5
	modes, ok := loadUser32(at)
	switch {
	case !ok:
		return errno(eFAULT)
	case modes != 0:
		return errno(syscall.EPERM)
	}
	now := wallTime()
	x := syscall.Timex{
		Maxerror: 16e6, Esterror: 16e6, Status: unsynchronised, Precision: 1, Tolerance: 32768000, Tick: 10000,
		Time: syscall.NsecToTimeval(now),
	}
	if !copyBytes(uintptr(at), uintptr(unsafe.Pointer(&x)), unsafe.Sizeof(x)) {
		return errno(eFAULT)
	}
	return timeError
}
