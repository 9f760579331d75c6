package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// about asks what there is to know of every kind of descriptor, and for what makes no
// difference in memory.
func about() {
	for _, call := range []struct {
		name string
		make func(fd int) (any, error)
	}{
		{"statx", func(fd int) (any, error) {
			var s unix.Statx_t
			err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &s)
			if s.Mode&unix.S_IFMT != unix.S_IFREG {
				s.Size = 0 // of folders everybody has an own idea
			}
			return fmt.Sprintf("%#x %o %d", s.Mask&unix.STATX_BASIC_STATS, s.Mode&unix.S_IFMT, s.Size), err
		}},
		{"read of nothing", func(fd int) (any, error) { return unix.Read(fd, nil) }},
		{"write of nothing", func(fd int) (any, error) { return unix.Write(fd, nil) }},
		{"fsync", func(fd int) (any, error) { return "", unix.Fsync(fd) }},
		{"fdatasync", func(fd int) (any, error) { return "", unix.Fdatasync(fd) }},
		{"syncfs", func(fd int) (any, error) { return "", unix.Syncfs(fd) }},
		{"sync_file_range", func(fd int) (any, error) { return "", unix.SyncFileRange(fd, 0, 1, 7) }},
		{"sync_file_range with flags", func(fd int) (any, error) { return "", unix.SyncFileRange(fd, 0, 1, 8) }},
		{"fadvise", func(fd int) (any, error) { return "", unix.Fadvise(fd, 0, 1, unix.FADV_WILLNEED) }},
		{"fadvise of what is not", func(fd int) (any, error) { return "", unix.Fadvise(fd, 0, 1, 6) }},
		{"fadvise of less than nothing", func(fd int) (any, error) { return "", unix.Fadvise(fd, 0, -1, 0) }},
		{"readahead", func(fd int) (any, error) { return "", errnoOf(unix.SYS_READAHEAD, uintptr(fd), 0, 1) }},
		{"timerfd_gettime", func(fd int) (any, error) {
			var s unix.ItimerSpec
			return s, unix.TimerfdGettime(fd, &s)
		}},
		{"timerfd_settime", func(fd int) (any, error) { return "", unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{}, nil) }},
		{"ftruncate", func(fd int) (any, error) { return "", unix.Ftruncate(fd, 3) }},
		{"flock", func(fd int) (any, error) { return "", unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) }},
	} {
		for _, k := range kinds {
			d := k.make()
			result, err := call.make(d.fd)
			say(call.name+"("+k.name+")", result, err)
			d.close()
		}
	}
	name, link := filepath.Join(dir, "name"), filepath.Join(dir, "link")
	for _, err := range []error{os.WriteFile(name, []byte(content), 0o640), os.Symlink("name", link)} {
		if err != nil {
			panic(err)
		}
	}
	for _, path := range []string{name, link, dir, filepath.Join(dir, "missing"), ""} {
		for _, flags := range []int{0, unix.AT_SYMLINK_NOFOLLOW, unix.AT_STATX_DONT_SYNC, unix.AT_STATX_FORCE_SYNC | unix.AT_STATX_DONT_SYNC, unix.AT_REMOVEDIR} {
			var s unix.Statx_t
			err := unix.Statx(unix.AT_FDCWD, path, flags, unix.STATX_ALL, &s)
			say(fmt.Sprintf("statx(%s, %#x)", strings.TrimPrefix(path, dir), flags), fmt.Sprintf("%o %d", s.Mode&unix.S_IFMT, s.Nlink), err)
		}
	}
	say("statx with a reserved mask", "", unix.Statx(unix.AT_FDCWD, name, 0, 1<<31, &unix.Statx_t{}))

	for _, tv := range [][]unix.Timeval{{{Sec: 5, Usec: 6}, {Sec: 7, Usec: 8}}, {{}, {Usec: 1e6}}, {{Usec: -1}, {}}} {
		err := unix.Utimes(name, tv)
		e := errnoOf(unix.SYS_UTIMES, uintptr(unsafe.Pointer(must(unix.BytePtrFromString(name)))), uintptr(unsafe.Pointer(&tv[0])), 0)
		var s unix.Stat_t
		must(0, unix.Stat(name, &s))
		say(fmt.Sprint("utimes ", tv, e), fmt.Sprint(s.Atim, s.Mtim), err)
	}
	var s unix.Stat_t
	err := unix.Utime(name, &unix.Utimbuf{Actime: 11, Modtime: 12})
	must(0, unix.Stat(name, &s))
	say("utime", fmt.Sprint(s.Atim, s.Mtim), err)

	page := make([]byte, 1<<16)
	say("mlock", "", unix.Mlock(page[5000:5001]))
	say("munlock", "", unix.Munlock(page[5000:5001]))
	say("mlock of nothing", "", errnoOf(unix.SYS_MLOCK, 1<<40, 0, 0))
	say("mlock of what is not there", "", errnoOf(unix.SYS_MLOCK, 1<<12, 1, 0))
	say("mlock to the end", "", errnoOf(unix.SYS_MLOCK, 1<<40, ^uintptr(0), 0))
	for _, flags := range []int{0, 4, 8} {
		say(fmt.Sprint("mlockall ", flags), "", unix.Mlockall(flags))
	}
}

func errnoOf(nr, a, b, c uintptr) error {
	_, _, e := unix.Syscall(nr, a, b, c)
	return e
}

// clocks reads clocks, sleeps, and sets timers.
func clocks() {
	var ts unix.Timespec
	for c := int32(0); c < 13; c++ {
		say(fmt.Sprint("clock_gettime ", c), "", unix.ClockGettime(c, &ts))
		say(fmt.Sprint("clock_getres ", c), "", unix.ClockGetres(c, &ts))
		for _, flags := range []int{0, unix.TIMER_ABSTIME} {
			if c == unix.CLOCK_PROCESS_CPUTIME_ID {
				continue // nothing would run
			}
			_, err := untilDone(func() (int, error) { return 0, unix.ClockNanosleep(c, flags, &unix.Timespec{Nsec: 1000}, nil) })
			say(fmt.Sprint("clock_nanosleep ", c, flags), "", err)
		}
		fd, err := unix.TimerfdCreate(int(c), 0)
		say(fmt.Sprint("timerfd_create ", c), "", err)
		unix.Close(fd)
	}
	say("clock_nanosleep for too many nanoseconds", "", unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &unix.Timespec{Nsec: 1e9}, nil))
	for _, flags := range []int{unix.TFD_NONBLOCK | unix.TFD_CLOEXEC, 1} {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, flags)
		say(fmt.Sprintf("timerfd_create with flags %#x", flags), "", err)
		unix.Close(fd)
	}
	fd := must(unix.TimerfdCreate(unix.CLOCK_REALTIME, 0))
	for _, c := range []struct {
		flags int
		spec  unix.ItimerSpec
	}{
		{0, unix.ItimerSpec{Value: unix.Timespec{Sec: 100}, Interval: unix.Timespec{Nsec: 7}}},
		{0, unix.ItimerSpec{Value: unix.Timespec{Nsec: 1e9}}},
		{0, unix.ItimerSpec{Value: unix.Timespec{Sec: -1}}},
		{0, unix.ItimerSpec{Interval: unix.Timespec{Sec: -1}}},
		{4, unix.ItimerSpec{}},
		{0, unix.ItimerSpec{Interval: unix.Timespec{Sec: 3}}},
		{unix.TFD_TIMER_ABSTIME, unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}},
		{unix.TFD_TIMER_ABSTIME, unix.ItimerSpec{Value: unix.NsecToTimespec(time.Now().Add(time.Millisecond).UnixNano())}},
		{0, unix.ItimerSpec{Value: unix.Timespec{Nsec: 1e6}}},
	} {
		var old unix.ItimerSpec
		err := unix.TimerfdSettime(fd, c.flags, &c.spec, &old)
		old.Value.Nsec = 0 // what is left of the second
		c.spec.Value.Sec = min(c.spec.Value.Sec, 1000)
		if c.spec.Value.Sec == 1000 {
			c.spec.Value.Nsec = 0
		}
		say(fmt.Sprint("timerfd_settime ", c), old, err)
		if err == nil && c.spec.Value.Sec != 100 && c.spec.Value != (unix.Timespec{}) {
			var count [8]byte
			n, err := untilDone(func() (int, error) { return unix.Read(fd, count[:]) })
			say("  read", fmt.Sprint(n, count), err)
		}
	}
	// A timer that runs out many times.
	every := unix.ItimerSpec{Value: unix.Timespec{Nsec: 1e5}, Interval: unix.Timespec{Nsec: 1e5}}
	if err := unix.TimerfdSettime(fd, 0, &every, nil); err != nil {
		panic(err)
	}
	times := uint64(0)
	for times < 20 {
		var count [8]byte
		must(untilDone(func() (int, error) { return unix.Read(fd, count[:]) }))
		times += *(*uint64)(unsafe.Pointer(&count))
	}
	say("a timer ran out", times >= 20, nil)
	must(0, unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{}, nil))
	must(0, unix.SetNonblock(fd, true))
	n, err := unix.Read(fd, make([]byte, 8))
	say("read of a timer that is not set", n, err)
	unix.Close(fd)
}

// alarms has signals sent after some time.
func alarms() {
	came := make(chan os.Signal, 1)
	signal.Notify(came, unix.SIGALRM)
	defer signal.Stop(came)
	for _, c := range []struct {
		which unix.ItimerWhich
		spec  unix.Itimerval
	}{
		{unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: 50}, Interval: unix.Timeval{Usec: 7}}},
		{unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Usec: 1e6}}},
		{unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: -1}}},
		{unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Usec: 1000}}},
		{unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Usec: 1000}, Interval: unix.Timeval{Usec: 1000}}},
		{3, unix.Itimerval{}},
	} {
		old, err := unix.Setitimer(c.which, c.spec)
		old.Value.Usec = 0
		say(fmt.Sprint("setitimer ", c), old, err)
		if err == nil && c.spec.Value.Sec == 0 {
			say("  the signal", <-came, nil)
		}
	}
	say("the signal again", <-came, nil)
	_, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{})
	say("setitimer to nothing", "", err)
	now, err := unix.Getitimer(unix.ITIMER_REAL)
	say("getitimer", now, err)
	_, err = unix.Getitimer(3)
	say("getitimer of what is not", "", err)
	for _, seconds := range []uint{30, 20, 0, 0} {
		left, err := unix.Alarm(seconds)
		say(fmt.Sprint("alarm ", seconds), left, err)
	}
}

// policies asks about scheduling.
func policies() {
	for policy := range uintptr(7) {
		for _, nr := range []uintptr{unix.SYS_SCHED_GET_PRIORITY_MAX, unix.SYS_SCHED_GET_PRIORITY_MIN} {
			r, _, e := unix.Syscall(nr, policy, 0, 0)
			say(fmt.Sprint(nr, " of policy ", policy), int(r), e)
		}
	}
	for _, tid := range []int{0, -1, 1 << 29} {
		r, _, e := unix.Syscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(tid), 0, 0)
		say(fmt.Sprint("sched_getscheduler ", tid), int(r), e)
		priority := int32(7)
		e1 := errnoOf(unix.SYS_SCHED_GETPARAM, uintptr(tid), uintptr(unsafe.Pointer(&priority)), 0)
		say(fmt.Sprint("sched_getparam ", tid), priority, e1)
	}
	for _, priority := range []int32{0, 1} {
		e := errnoOf(unix.SYS_SCHED_SETSCHEDULER, 0, 0, uintptr(unsafe.Pointer(&priority)))
		say(fmt.Sprint("sched_setscheduler with priority ", priority), "", e)
	}
	say("sched_setscheduler to what is not", "", errnoOf(unix.SYS_SCHED_SETSCHEDULER, 0, 4, uintptr(unsafe.Pointer(new(int32)))))
}
