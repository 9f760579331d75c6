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

// wallTime is the time in ns since 1970.
func wallTime() int64 { return nanotime() + int64(clock.wall) }

func clockGettime(t *thread, which, addr uint64) uint64 {
	const realtime, monotonic, processCPU, threadCPU, monotonicRaw, realtimeCoarse, monotonicCoarse, boottime = 0, 1, 2, 3, 4, 5, 6, 7
	var ns int64
	switch which {
	case realtime, realtimeCoarse:
		ns = wallTime()
	case monotonic, monotonicRaw, monotonicCoarse, boottime:
		ns = nanotime()
	case processCPU, threadCPU:
		c := thisCPU()
		c.account(t, nanotime())
		ns = t.used
		if which == processCPU {
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
