//go:build metal

package kernel

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"nuos/kernel/internal/sched"
)

// Timers that count processor time and send SIGPROF, for CPU profiles: one per
// thread (timer_create with CLOCK_THREAD_CPUTIME_ID) and one for the process
// (setitimer with ITIMER_PROF).

var (
	profileLock    sched.Lock
	processProfile cpuTimer

	// profiled is set once there has been a timer; until then nothing is charged.
	profiled atomic.Bool
)

// Codes by which Go tells the two apart.
const (
	siKernel = 0x80
	siTimer  = -2
)

// chargeProfile books d ns of processor time of thread t.
func chargeProfile(t *thread, d int64) {
	if !profiled.Load() {
		return
	}
	profileLock.Lock()
	own, process := t.profile.charge(d), processProfile.charge(d)
	profileLock.Unlock()
	if own {
		raise(t, int32(syscall.SIGPROF), siTimer)
	}
	if process {
		raise(t, int32(syscall.SIGPROF), siKernel)
	}
}

// set replaces a timer.
func (p *cpuTimer) set(n cpuTimer) {
	profiled.Store(true)
	profileLock.Lock()
	*p = n
	profileLock.Unlock()
}

// get is a timer as it is now.
func (p *cpuTimer) get() cpuTimer {
	profileLock.Lock()
	n := *p
	profileLock.Unlock()
	return n
}

// profileEnd is the latest moment at which the running thread has to be
// charged so that its profile is regular.
func profileEnd(t *thread, now int64) int64 {
	end := forever
	if !profiled.Load() {
		return end
	}
	for _, p := range [...]cpuTimer{t.profile.get(), processProfile.get()} {
		if p.left > 0 {
			end = min(end, now+p.left)
		}
	}
	return end
}

// sigevent is the part of struct sigevent that matters.
type sigevent struct {
	value         uint64
	signo, notify int32
	tid           int32
}

// timerCreate makes the calling thread's timer, whose number is the thread's.
func timerCreate(t *thread, which, event, id uint64) uint64 {
	const threadCPU, notifyThreadID = 3, 4
	var ev sigevent
	if !copyBytes(uintptr(unsafe.Pointer(&ev)), uintptr(event), unsafe.Sizeof(ev)) {
		return errno(eFAULT)
	}
	if which != threadCPU || ev.notify != notifyThreadID || ev.tid != t.tid ||
		ev.signo != int32(syscall.SIGPROF) || t.profile.made {
		return errno(eINVAL)
	}
	if !storeUser32(id, uint32(t.tid)) {
		return errno(eFAULT)
	}
	t.profile.set(cpuTimer{made: true})
	return 0
}

func timerSettime(id, set uint64) uint64 {
	t := threadAt(int32(id))
	if t == nil || !t.profile.made {
		return errno(eINVAL)
	}
	interval, e := loadDuration(set)
	left, e2 := loadDuration(set + 16)
	if e != 0 || e2 != 0 {
		return errno(eINVAL)
	}
	t.profile.set(cpuTimer{true, left, interval})
	return 0
}

func timerDelete(id uint64) uint64 {
	t := threadAt(int32(id))
	if t == nil || !t.profile.made {
		return errno(eINVAL)
	}
	t.profile.set(cpuTimer{})
	return 0
}

// processTime is the processor time of all live threads, ns.
//
//go:noinline
func processTime() int64 {
	sum := int64(0)
	for tid := int32(1); tid < maxThreads; tid++ {
		if t := threadAt(tid); t != nil {
			sum += t.used
		}
	}
	return sum + deadTime
}

// deadTime is the processor time of threads that have ended.
var deadTime int64
