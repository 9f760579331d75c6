//go:build metal

package kernel

import (
	"sync/atomic"
	"unsafe"

	"nuos/kernel/internal/sched"
	"nuos/kernel/internal/x86"
)

// The scheduler: package sched decides who runs where, and here is what a processor
// does about it.
//
// Locks, in the order in which a processor may take them:
//
//  1. bigLock: files, sockets, the table of threads, and all else that does not say
//     otherwise;
//  2. one bucket of futexes;
//  3. one of those that nothing is taken under: signalLock (signal.go), the heap of a
//     processor's sleepers (timer.go), profileLock (profile.go), a queue of sched.
//
// The program's memory is touched with none of them but bigLock held, as that may
// fault and have to read a file. mm's locks come after all of them. Waking a thread
// that waits on a futex, sleeps, or is to get a signal does without bigLock.

const (
	slice   = sched.Slice
	forever = int64(1<<63 - 1)
)

// Values of cpu.idling. A processor that polls sees work without an interrupt; one
// that is halted, or has begun to run something else, needs it.
const (
	idleBusy = iota
	idlePolling
	idleHalted
	idleKicked
)

var scheduler sched.Scheduler

// bigLock is the kernel's first lock. Handlers are short and never wait holding it.
var bigLock atomic.Uint32

func lock() {
	for !bigLock.CompareAndSwap(0, uint32(thisCPU().id)+1) {
		relax()
	}
}

// holdsLock reports whether this processor has the lock.
func holdsLock() bool { return bigLock.Load() == uint32(thisCPU().id)+1 }

func unlock() { bigLock.Store(0) }

// relock takes the lock for what may be called with it or without, and reports
// whether it did.
func relock() bool {
	if holdsLock() {
		return false
	}
	lock()
	return true
}

// relax is a turn of a loop that waits with interrupts off.
func relax() {
	answerFlush()
	x86.Pause()
}

// threadOfTask is the thread of which task is a part.
func threadOfTask(task *sched.Task) *thread {
	return (*thread)(pointer(uintptr(unsafe.Pointer(task)) - unsafe.Offsetof(thread{}.task)))
}

// wake makes a thread ready, which is the caller's, and sees to it that a processor
// takes it up.
func wake(t *thread) {
	self := thisCPU()
	self.record(eventWake, self.currentTID(), 0, uint64(t.tid), 0)
	tell(scheduler.Wake(&t.task, nanotime()))
}

// tell has a processor notice what the scheduler has decided.
func tell(whom sched.Whom, cpu int32) {
	c := &cpus[cpu]
	switch whom {
	case sched.Idle:
		c.kick()
	case sched.Running:
		c.reschedule()
	}
}

// reschedule has a processor choose anew what it runs.
func (c *cpu) reschedule() {
	c.resched.Store(true)
	if c != thisCPU() {
		c.interrupt(vecResched)
	}
}

// threadOn is the thread that runs on a processor, nil if none does. It is safe on
// the processor itself, and when all have stopped.
func threadOn(c *cpu) *thread {
	if c.current == 0 {
		return nil
	}
	return (*thread)(pointer(c.current))
}

// account charges the time since the last call to the running thread.
func (c *cpu) account(t *thread, now int64) {
	d := now - c.since
	c.since = now
	t.task.Charge(d)
	t.used += d
	chargeProfile(t, d)
}

// leave is the way out of every handler: it returns the thread to resume on
// this processor, which is the one that came in unless that waits, has ended or must
// give way. It idles while there is none.
// Precondition: no lock is held.
func (c *cpu) leave() *thread {
	for {
		t := threadOn(c)
		if t == nil || c.resched.Load() {
			t = c.choose(t)
		}
		if t.retry {
			t.retry = false
			lock()
			t.again = true
			c.systemCall(t)
			t.again = false // t waits at most for what the lock guards
			unlock()
			continue
		}
		if t.deliverable() != 0 && !c.deliver(t) {
			continue
		}
		if t.restoreMask() {
			continue
		}
		if !c.resched.Load() {
			c.arm(t)
			return t
		}
	}
}

// choose switches from t, which may be nil, to the thread that should run now.
func (c *cpu) choose(t *thread) *thread {
	now := nanotime()
	c.resched.Store(false) // what was added to a queue before it was set is seen below
	from := int32(0)
	if t != nil {
		c.account(t, now)
		if !scheduler.GivesWay(c.id, &t.task, now) {
			c.runs(t, now)
			return t
		}
		from = t.tid
		c.setCurrent(nil)
		tell(scheduler.Preempted(c.id, &t.task, now))
	}
	scheduler.Stops(c.id)
	next := scheduler.Next(c.id, now)
	for next == nil {
		next, now = c.idle()
	}
	n := threadOfTask(next)
	c.record(eventSwitch, from, 0, uint64(n.tid), 0)
	c.setCurrent(n)
	c.since = now
	n.guardOn(c)
	c.runs(n, now)
	return n
}

// runs gives t a slice of time, unless somebody has come meanwhile who goes first.
func (c *cpu) runs(t *thread, now int64) {
	c.sliceEnd = now + slice
	if scheduler.Runs(c.id, &t.task, now) {
		c.resched.Store(true)
	}
}
