//go:build metal

package kernel

import "syscall"

// Scheduling policies: there is one, SCHED_OTHER, with one priority. And on which
// processors threads may run.

const (
	policyOther      = 0
	policyFIFO       = 1
	policyRoundRobin = 2
	policyBatch      = 3
	policyIdle       = 5
	policyDeadline   = 6
)

// priorityBound is sched_get_priority_max(2) and sched_get_priority_min(2).
func priorityBound(policy, realTime uint64) uint64 {
	switch policy {
	case policyFIFO, policyRoundRobin:
		return realTime
	case policyOther, policyBatch, policyIdle, policyDeadline:
		return 0
	}
	return errno(eINVAL)
}

// threadOf is the thread that a call names, 0 for its own.
func threadOf(t *thread, tid int32) (*thread, syscall.Errno) {
	switch {
	case tid < 0:
		return nil, eINVAL
	case tid == 0:
		return t, 0
	case threadAt(tid) == nil:
		return nil, syscall.ESRCH
	}
	return threadAt(tid), 0
}

// schedGetscheduler is sched_getscheduler(2).
func schedGetscheduler(t *thread, tid int32) uint64 {
	_, e := threadOf(t, tid)
	return errno(e) // or SCHED_OTHER, which is 0
}

// schedSetscheduler is sched_setscheduler(2): what is the case can be set.
func schedSetscheduler(t *thread, tid int32, policy, param uint64) uint64 {
	if param == 0 || int32(policy) < 0 {
		return errno(eINVAL)
	}
	priority, ok := loadUser32(param)
	_, e := threadOf(t, tid)
	switch {
	case !ok:
		return errno(eFAULT)
	case e != 0:
		return errno(e)
	case policy == policyFIFO || policy == policyRoundRobin:
		if priority < 1 || priority > 99 {
			return errno(eINVAL)
		}
		return errno(syscall.EPERM)
	case policy == policyBatch || policy == policyIdle:
		if priority != 0 {
			return errno(eINVAL)
		}
		return errno(syscall.EPERM)
	case policy != policyOther || priority != 0:
		return errno(eINVAL)
	}
	return 0
}

// schedGetparam is sched_getparam(2).
func schedGetparam(t *thread, tid int32, param uint64) uint64 {
	_, e := threadOf(t, tid)
	switch {
	case param == 0:
		return errno(eINVAL)
	case e != 0:
		return errno(e)
	case !storeUser32(param, 0):
		return errno(eFAULT)
	}
	return 0
}

// schedRRGetInterval is sched_rr_get_interval(2).
func schedRRGetInterval(t *thread, tid int32, at uint64) uint64 {
	if _, e := threadOf(t, tid); e != 0 {
		return errno(e)
	}
	if !storeTimespec(at, slice) {
		return errno(eFAULT)
	}
	return 0
}

// schedGetaffinity is sched_getaffinity(2): of a thread, one bit for each processor
// that is up and on which it may run.
func schedGetaffinity(t *thread, tid int32, size, addr uint64) uint64 {
	r, e := threadOf(t, tid)
	switch {
	case size < 8 || size%8 != 0:
		return errno(eINVAL)
	case e != 0:
		return errno(syscall.ESRCH)
	case !storeUser64(addr, processorBits()&r.task.Allowed()):
		return errno(eFAULT)
	}
	return 8
}

// schedSetaffinity is sched_setaffinity(2).
func schedSetaffinity(t *thread, tid int32, size, addr uint64) uint64 {
	mask := uint64(0)
	for i := range min(size, 8) {
		var b [1]byte
		if !CopyIn(b[:], uintptr(addr+i)) {
			return errno(eFAULT)
		}
		mask |= uint64(b[0]) << (8 * i)
	}
	r, e := threadOf(t, tid)
	mask &= processorBits()
	switch {
	case e != 0:
		return errno(syscall.ESRCH)
	case mask == 0:
		return errno(eINVAL)
	}
	tell(scheduler.SetAllowed(&r.task, mask, nanotime()))
	return 0
}
