//go:build metal

package kernel

import (
	"sync/atomic"

	"nuos/kernel/internal/sched"
	"nuos/kernel/internal/x86"
)

// What a processor does when nothing is ready: it polls for a short time,
// because an interrupt and waking from halt cost more than a short wait, then
// halts until an interrupt.

// Bounds of polling before a halt, in ns. Adaptive polling doubles its time
// when it was worth it and halves it when it was not.
const (
	spinLeast = 1e3
	spinMost  = 50e3
)

// zeroingFrom is since when frames are zeroed ahead of their use, in ns of nanotime.
const zeroingFrom = 1e9

// idleMode is the boot parameter idle=, as idleAdaptive and so on.
var idleMode atomic.Uint32

const (
	idleAdaptive = iota
	idlePoll
	idleHalt
)

// idle waits until there may be something to run and returns the time, and the next
// task if it has got one.
// Precondition: no lock is held.
func (c *cpu) idle() (next *sched.Task, now int64) {
	c.record(eventIdle, 0, 0, 0, 0)
	c.setCurrent(nil)
	c.idling.Store(idlePolling)
	scheduler.JoinIdle(c.id)
	watched := false
	if next = scheduler.Next(c.id, nanotime()); next == nil {
		at := c.nextTimer()
		c.arm(nil)
		watched = c.await(at)
	}
	scheduler.LeaveIdle(c.id)
	c.idling.Store(idleBusy)
	for v := range int32(256) {
		if c.pending[v>>6]>>(uint(v)&63)&1 != 0 {
			c.pending[v>>6] &^= 1 << (uint(v) & 63)
			c.interrupted(v)
		}
	}
	if watched {
		lock()
		signalWatched()
		unlock()
	}
	now = nanotime()
	c.runTimers(now)
	if next == nil {
		next = scheduler.Next(c.id, now)
	}
	return next, now
}

// await returns when the processor is kicked, interrupted, has a timer to run
// or sees a watched word change; only in the last case it is true.
func (c *cpu) await(next int64) (watched bool) {
	start := nanotime()
	spin := c.spin
	switch idleMode.Load() {
	case idlePoll:
		spin = forever - start
	case idleHalt:
		spin = 0
	}
	for {
		answerFlush()
		if c.idling.Load() == idleKicked {
			c.spin = min(2*c.spin+spinLeast, spinMost)
			return false
		}
		if watchChanged() {
			c.spin = min(2*c.spin+spinLeast, spinMost)
			return true
		}
		now := nanotime()
		if now >= next {
			return false
		}
		if now-start >= spin {
			break
		}
		x86.Pause()
	}
	c.spin = max(c.spin/2, spinLeast)
	// Time that nobody wants goes into zeroed frames, a run between two looks; not while
	// the program starts, for memory that is touched first takes a hypervisor's time.
	for start > zeroingFrom && space().ZeroSome() {
		answerFlush()
		if c.idling.Load() == idleKicked || watchChanged() || nanotime() >= next {
			return watchChanged()
		}
	}
	if c.idling.CompareAndSwap(idlePolling, idleHalted) {
		halt()
	}
	answerFlush()
	return false
}

// kick ends the idling of a processor, or has it choose anew if it has ended that
// already.
func (c *cpu) kick() {
	switch c.idling.Swap(idleKicked) {
	case idleHalted:
		c.interrupt(vecResched)
	case idleBusy:
		c.idling.CompareAndSwap(idleKicked, idleBusy)
		c.reschedule()
	}
}
