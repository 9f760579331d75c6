//go:build metal

package kernel

import (
	"math/bits"
	"sync/atomic"

	"nuos/kernel/internal/x86"
)

// The scheduler: one run queue for all processors, under the kernel's lock.
//
// It shares the processors by virtual run time, as Linux's fair class does: the
// ready thread that has run least goes first. A thread that wakes up resumes
// where it was, but at most wakeBonus behind the others, so that a sleeper gets
// a processor at once and cannot starve those who did not sleep. It runs on an
// idle processor if there is one, else in the place of the thread that has run
// most, which is interrupted for it.
//
// The queue is a list that is searched, not a tree: the ready threads of a Go
// program are few, about GOMAXPROCS and the odd one in a system call.

const (
	slice     = 2e6  // ns until another ready thread gets its turn
	wakeBonus = 15e5 // ns, below slice
	forever   = int64(1<<63 - 1)
)

// Values of cpu.idling. A processor that is busy or polling sees work without
// an interrupt; one that is halted needs it.
const (
	idleBusy = iota
	idlePolling
	idleHalted
	idleKicked
)

var sched struct {
	ready      [maxThreads]int32
	numReady   int32
	minRuntime int64  // the virtual run time of whoever was dispatched last, at its highest
	idle       uint64 // processors in the idle loop that nobody has work for yet, by bit
}

// bigLock is the kernel's lock. All of the kernel's state is guarded by it
// except what says otherwise; handlers are short and never wait holding it.
var bigLock atomic.Uint32

func lock() {
	for !bigLock.CompareAndSwap(0, uint32(thisCPU().id)+1) {
		relax()
	}
}

// holdsLock reports whether this processor has the lock.
func holdsLock() bool { return bigLock.Load() == uint32(thisCPU().id)+1 }

func unlock() { bigLock.Store(0) }

// relax is a turn of a loop that waits with interrupts off.
func relax() {
	answerFlush()
	x86.Pause()
}

// wake puts a thread into the run queue and sees to it that a processor takes
// it up.
func wake(t *thread) {
	if low := sched.minRuntime - wakeBonus; t.runtime < low {
		t.runtime = low
	}
	enqueue(t)
	self := thisCPU()
	self.record(eventWake, self.currentTID(), 0, uint64(t.tid), 0)
	if sched.idle != 0 {
		id := int32(bits.TrailingZeros64(sched.idle))
		if sched.idle>>uint(t.cpu)&1 != 0 {
			id = t.cpu
		}
		sched.idle &^= 1 << uint(id)
		cpus[id].kick()
		return
	}
	// Somebody has to give way: whoever has had most.
	now := nanotime()
	victim, most := int32(-1), t.runtime
	for i := range numCPUs {
		c := &cpus[i]
		if c.resched || c.online.Load() == 0 {
			continue
		}
		r := threadOn(c)
		if r == nil || r.state != threadRunning {
			continue
		}
		if ran := r.runtime + now - c.since; ran > most {
			victim, most = i, ran
		}
	}
	if victim >= 0 {
		c := &cpus[victim]
		c.resched = true
		if c != thisCPU() {
			c.interrupt(vecResched)
		}
	}
}

func threadOn(c *cpu) *thread {
	if c.current == 0 {
		return nil
	}
	return (*thread)(pointer(c.current))
}

func enqueue(t *thread) {
	t.state = threadReady
	sched.ready[sched.numReady] = t.tid
	sched.numReady++
}

// best returns the index in the queue of the thread to run next, or -1.
func best() int32 {
	found, least := int32(-1), forever
	for i := range sched.numReady {
		if r := threadAt(sched.ready[i]).runtime; r < least {
			found, least = i, r
		}
	}
	return found
}

// dequeue removes an entry, keeping the order of the others: threads with equal
// run times take turns.
func dequeue(i int32) *thread {
	t := threadAt(sched.ready[i])
	sched.numReady--
	for ; i < sched.numReady; i++ {
		sched.ready[i] = sched.ready[i+1]
	}
	return t
}

// account charges the time since the last call to the running thread.
func (c *cpu) account(t *thread, now int64) {
	d := now - c.since
	c.since = now
	t.runtime += d
	t.used += d
	chargeProfile(t, d)
}

// leave is the way out of every handler: it returns the thread to resume on
// this processor, which is t, the one that came in, unless that has to wait, has
// ended (nil) or must give way. It idles while there is none.
// Precondition: the kernel's lock is held. It is released.
func (c *cpu) leave(t *thread) *thread {
	for {
		if t != nil && t.state == threadEnded {
			c.account(t, nanotime())
			freeThread(t)
			t = nil
		}
		if t == nil || t.state != threadRunning || c.resched {
			t = c.choose(t)
		}
		if t.retry {
			t.retry, t.again = false, true
			c.systemCall(t)
			t.again = false
			continue
		}
		if t.pending&^t.mask != 0 && !c.deliver(t) {
			continue
		}
		if t.restoreMask() {
			continue
		}
		if t.state == threadRunning && !c.resched {
			break
		}
	}
	c.arm(t)
	unlock()
	return t
}

// choose switches from t, which may be nil, to the thread that should run now.
func (c *cpu) choose(t *thread) *thread {
	now := nanotime()
	c.resched = false
	if t != nil {
		c.account(t, now)
		if t.state == threadRunning {
			i := best()
			if i < 0 || threadAt(sched.ready[i]).runtime > t.runtime {
				c.sliceEnd = now + slice
				return t
			}
			enqueue(t)
		}
	}
	i := best()
	for i < 0 {
		now = c.idle()
		i = best()
	}
	n := dequeue(i)
	n.state, n.cpu = threadRunning, c.id
	if n.runtime > sched.minRuntime {
		sched.minRuntime = n.runtime
	}
	// Known before the lock is released, for wake on other processors.
	from := int32(0)
	if t != nil {
		from = t.tid
	}
	c.record(eventSwitch, from, 0, uint64(n.tid), 0)
	c.setCurrent(n)
	c.since, c.sliceEnd = now, now+slice
	return n
}
