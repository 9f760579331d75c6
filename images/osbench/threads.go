package main

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// onThreads has two functions run on a thread each and returns when both have.
// They may keep their thread from Go's scheduler: there are processors enough for
// it to go on, and no garbage collection waits for them.
func onThreads(first, second func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 3))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ended := make(chan bool)
	for _, f := range []func(){first, second} {
		go func() {
			runtime.LockOSThread() // for good: the thread may be bound to a processor
			f()
			ended <- true
		}()
	}
	<-ended
	<-ended
}

// turn is a word that two threads set in turns and wait on meanwhile.
type turn struct{ word atomic.Uint32 }

const (
	futexWait = 0 | 128 // private
	futexWake = 1 | 128
)

func (t *turn) await(v uint32) {
	for {
		now := t.word.Load()
		if now == v {
			return
		}
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&t.word)), futexWait, uintptr(now), 0, 0, 0)
	}
}

func (t *turn) set(v uint32) {
	t.word.Store(v)
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&t.word)), futexWake, 1, 0, 0, 0)
}

// futexHandoff passes a word from a thread to another, one way.
func futexHandoff() []figure {
	return perOperation(func(n int) (took time.Duration) {
		n = (n + 1) / 2
		t := new(turn)
		onThreads(func() {
			t.await(2) // the other is there
			start := time.Now()
			for range n {
				t.set(1)
				t.await(0)
			}
			took = time.Since(start)
		}, func() {
			t.set(2)
			for range n {
				t.await(1)
				t.set(0)
			}
		})
		return took
	})
}

// bind keeps the calling thread on processor 0.
func bind() {
	mask := [16]uint64{1}
	_, _, e := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	if e != 0 {
		panic("sched_setaffinity: " + e.Error())
	}
}

// contextSwitch has two threads on one processor give way to each other.
func contextSwitch() []figure {
	return perOperation(func(n int) (took time.Duration) {
		var ready atomic.Int32
		yields := func() {
			bind()
			for ready.Add(1); ready.Load() < 2; {
				syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
			}
			start := time.Now()
			for range (n + 1) / 2 {
				syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
			}
			if ready.Add(1) == 3 {
				took = time.Since(start)
			}
		}
		onThreads(yields, yields)
		return took
	})
}

// lockedHandoff passes a value over a channel between goroutines that are locked to
// their threads.
func lockedHandoff() []figure {
	return perOperation(func(n int) (took time.Duration) {
		n = (n + 1) / 2
		there, back := make(chan bool), make(chan bool)
		onThreads(func() {
			start := time.Now()
			for range n {
				there <- true
				<-back
			}
			took = time.Since(start)
		}, func() {
			for range n {
				<-there
				back <- true
			}
		})
		return took
	})
}

// wakeup takes the time from a wake in one thread to the first instruction of
// another, whose processor has had nothing to do for a while.
func wakeup() []figure {
	times := make([]time.Duration, 500)
	var t turn
	var woken time.Time
	onThreads(func() {
		for range times {
			for start := time.Now(); time.Since(start) < 200*time.Microsecond; {
			}
			woken = time.Now()
			t.set(1)
			t.await(0)
		}
	}, func() {
		for i := range times {
			t.await(1)
			times[i] = time.Since(woken)
			t.set(0)
		}
	})
	return quantiles(times)
}

// sleepIdle takes how much longer than asked time.Sleep takes.
func sleepIdle() []figure {
	times := make([]time.Duration, 300)
	for i := range times {
		start := time.Now()
		time.Sleep(time.Millisecond)
		times[i] = time.Since(start) - time.Millisecond
	}
	return quantiles(times)
}

// sleepBusy takes how late a thread wakes from a sleep while all processors compute.
func sleepBusy() []figure {
	var stop atomic.Bool
	for range runtime.NumCPU() {
		go func() {
			runtime.LockOSThread()
			for !stop.Load() {
			}
		}()
	}
	times := make([]time.Duration, 300)
	onThreads(func() {
		for i := range times {
			start := time.Now()
			d := syscall.NsecToTimespec(1e6)
			syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&d)), 0, 0)
			times[i] = time.Since(start) - time.Millisecond
		}
	}, func() {})
	stop.Store(true)
	return quantiles(times)
}
