//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// Timers that count processor time and send SIGPROF, for CPU profiles: one per
// thread (timer_create with CLOCK_THREAD_CPUTIME_ID) and one for the process
// (setitimer with ITIMER_PROF).

// cpuTimer counts processor time down.
type cpuTimer struct {
	made           bool
	left, interval int64 // ns; left is 0 when the timer is not set
}

// charge takes d off and reports whether the timer has run out.
func (p *cpuTimer) charge(d int64) bool {
	if p.left == 0 {
		return false
	}
	if p.left -= d; p.left > 0 {
		return false
	}
	p.left = p.interval
	return true
}

var processProfile cpuTimer

// Codes by which Go tells the two apart.
const (
	siKernel = 0x80
	siTimer  = -2
)

// chargeProfile books d ns of processor time of thread t.
func chargeProfile(t *thread, d int64) {
	if t.profile.charge(d) {
		raise(t, int32(syscall.SIGPROF), siTimer)
	}
	if processProfile.charge(d) {
		raise(t, int32(syscall.SIGPROF), siKernel)
	}
}

// profileEnd is the latest moment at which the running thread has to be
// charged so that its profile is regular.
func profileEnd(t *thread, now int64) int64 {
	end := forever
	if t.profile.left > 0 {
		end = now + t.profile.left
	}
	if processProfile.left > 0 && now+processProfile.left < end {
		end = now + processProfile.left
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
	t.profile = cpuTimer{made: true}
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
	t.profile.interval, t.profile.left = interval, left
	return 0
}

func timerDelete(id uint64) uint64 {
	t := threadAt(int32(id))
	if t == nil || !t.profile.made {
		return errno(eINVAL)
	}
	t.profile = cpuTimer{}
	return 0
}

// processTime is the processor time of all live threads, ns.
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
