//go:build metal

package kernel

import (
	"sync/atomic"

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

// idleMode is the boot parameter idle=, as idleAdaptive and so on.
var idleMode atomic.Uint32

const (
	idleAdaptive = iota
	idlePoll
	idleHalt
)

// idle waits until there may be something to run and returns the time.
// Precondition: the kernel's lock is held. It is released meanwhile.
func (c *cpu) idle() int64 {
	c.record(eventIdle, 0, 0, 0, 0)
	c.setCurrent(nil)
	c.idling.Store(idlePolling)
	sched.idle |= 1 << uint(c.id)
	next := c.nextTimer()
	c.arm(nil)
	unlock()

	watched := c.await(next)

	lock()
	sched.idle &^= 1 << uint(c.id)
	c.idling.Store(idleBusy)
	for v := range int32(256) {
		if c.pending[v>>6]>>(uint(v)&63)&1 != 0 {
			c.pending[v>>6] &^= 1 << (uint(v) & 63)
			c.interrupted(v)
		}
	}
	if watched {
		signalWatched()
	}
	now := nanotime()
	c.runTimers(now)
	return now
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
	// Time that nobody wants goes into zeroed frames, a run between two looks.
	for space().ZeroSome() {
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

// kick ends the idling of a processor.
func (c *cpu) kick() {
	if c.idling.Swap(idleKicked) == idleHalted {
		c.interrupt(vecResched)
	}
}
