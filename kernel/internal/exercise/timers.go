package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// attempts is how often something is tried that the host may delay: it shares
// its processors with others, and a machine that does not run is late however
// good its timers are. Timers that are wrong are wrong every time.
const attempts = 200

// timers checks sleeps: none is too short, ever, and of some, short and long
// ones in turn, the least late are late by no more than the shorter takes. So
// sleeping ten times as long takes about ten times as long. Waiting for many at a
// time ends no earlier than for one.
func timers([]string) error {
	lengths := []time.Duration{5 * time.Millisecond, 50 * time.Millisecond}
	least := []time.Duration{time.Hour, time.Hour} // that such a sleep was late
	tries := 0
	for ; slices.Max(least) > lengths[0]; tries++ {
		if tries == attempts {
			return fmt.Errorf("of %d sleeps of each of %v the least late were late by %v", attempts, lengths, least)
		}
		for i, d := range lengths {
			start := time.Now()
			time.Sleep(d)
			late := time.Since(start) - d
			if late < 0 {
				return fmt.Errorf("a sleep of %v ended %v early", d, -late)
			}
			least[i] = min(least[i], late)
		}
	}
	fmt.Printf("timers: sleeps of %v late by %v, in %d attempts\n", lengths, least, tries)
	woken := make(chan time.Duration)
	start := time.Now()
	const n = 200
	for i := range n {
		go func() {
			time.Sleep(time.Duration(i%20) * time.Millisecond)
			woken <- time.Since(start) - time.Duration(i%20)*time.Millisecond
		}()
	}
	for range n {
		if late := <-woken; late < 0 {
			return fmt.Errorf("a timer ran %v early", -late)
		}
	}
	return calendar()
}

// calendar looks at the wall clock: it must be plausible and advance like the
// monotonic one. Each reading takes both clocks, one after the other, and the
// host may delay what is between them.
func calendar() error {
	if y := time.Now().Year(); y < 2024 || y > 2100 {
		return fmt.Errorf("the wall clock says %v", time.Now())
	}
	for tries := 1; ; tries++ {
		a := time.Now()
		time.Sleep(20 * time.Millisecond)
		b := time.Now()
		wall := b.Round(0).Sub(a.Round(0)) // without the monotonic reading
		d := (wall - b.Sub(a)).Abs()
		if d <= time.Millisecond {
			break
		}
		if tries == attempts {
			return fmt.Errorf("%v on the wall are %v", wall, b.Sub(a))
		}
	}
	var ts syscall.Timespec
	const clockMonotonic = 1
	if _, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0); e != 0 {
		return e
	}
	return nil
}

// handoff measures how long it takes a thread to wake another one, idle and
// while all processors are busy. It prints; only a hand-off that had to wait
// for somebody's time slice, most of the time, is an error. With gccheckmark=1 or asyncpreemptoff=1
// it stands still, on Linux too: nothing stops the loops when GOMAXPROCS is changed back, as Go
// then sends no signals to preempt goroutines.
func handoff([]string) error {
	idle := handoffs(300)
	var stop atomic.Bool
	busy := runtime.NumCPU()
	done := make(chan struct{})
	for range busy {
		go func() {
			runtime.LockOSThread()
			for !stop.Load() {
				spin(1e5)
			}
			done <- struct{}{}
		}()
	}
	old := runtime.GOMAXPROCS(busy + 2) // so that only the kernel decides who runs
	loaded := handoffs(300)
	runtime.GOMAXPROCS(old)
	stop.Store(true)
	for range busy {
		<-done
	}
	fmt.Printf("handoff: there and back %v idle, %v loaded (medians)\n", idle, loaded)
	return nil
}

// handoffs is the median time of a round trip between two locked threads.
func handoffs(n int) time.Duration {
	there, back := make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		for range there {
			back <- struct{}{}
		}
		close(back)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took []time.Duration
	for range n {
		start := time.Now()
		there <- struct{}{}
		<-back
		took = append(took, time.Since(start))
	}
	close(there)
	<-back
	slices.Sort(took)
	return took[len(took)/2]
}

// profile takes a CPU profile of a busy loop, which must have samples. On a host that takes the
// processor away for long, time passes in leaps, and there is one sample for each: so
// it may take a long profile until there are enough.
func profile([]string) error {
	for d := 300 * time.Millisecond; ; d *= 2 {
		var out bytes.Buffer
		if err := pprof.StartCPUProfile(&out); err != nil {
			return err
		}
		for start := processTime(); processTime()-start < d; {
			spin(1e6)
		}
		pprof.StopCPUProfile()
		n, err := samples(out.Bytes())
		switch {
		case err != nil:
			return err
		case n >= 5:
			fmt.Printf("profile: %d samples of spin\n", n)
			return nil
		case d > 8*time.Second:
			return fmt.Errorf("%d samples of the loop in %v of processor time", n, d)
		}
	}
}

func processTime() time.Duration {
	var ts syscall.Timespec
	const clockProcess = 2
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockProcess, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

// calls checks system calls that the runtime does not make by itself.
func calls([]string) error {
	var buf [64]byte
	if n, _, e := syscall.Syscall(318, uintptr(unsafe.Pointer(&buf)), uintptr(len(buf)), 0); e != 0 || n != uintptr(len(buf)) {
		return fmt.Errorf("getrandom = %d, %v", n, e)
	}
	if buf == [64]byte{} {
		return fmt.Errorf("getrandom left zeros")
	}
	if _, _, e := syscall.Syscall(318, 0x1234_5678_9000, 64, 0); e != syscall.EFAULT {
		return fmt.Errorf("getrandom to nowhere: %v, want EFAULT", e)
	}
	if _, _, e := syscall.Syscall(syscall.SYS_WRITE, 1, 0x1234_5678_9000, 64); e != syscall.EFAULT {
		return fmt.Errorf("write from nowhere: %v, want EFAULT", e)
	}
	if _, _, e := syscall.Syscall(syscall.SYS_WRITE, 77, uintptr(unsafe.Pointer(&buf)), 1); e != syscall.EBADF {
		return fmt.Errorf("write to a closed descriptor: %v, want EBADF", e)
	}
	if _, _, e := syscall.Syscall(511, 0, 0, 0); e != syscall.ENOSYS {
		return fmt.Errorf("an unknown call: %v, want ENOSYS", e)
	}
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil || u.Sysname[0] != 'L' {
		return fmt.Errorf("uname: %v %c", err, u.Sysname[0])
	}
	if exe, err := os.Executable(); err != nil || exe == "" {
		return fmt.Errorf("executable %q: %v", exe, err)
	}
	if os.Getpid() <= 0 {
		return fmt.Errorf("pid %d", os.Getpid())
	}
	return nil
}
