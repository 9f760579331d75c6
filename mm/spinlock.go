package mm

import "sync/atomic"

// spinlock guards what both ordinary code and a page-fault handler touch. On
// metal interrupts are off while it is held, so that the holder is never
// switched away and an interrupt handler never waits for the code it
// interrupted. The functions that hold one run on a kernel stack; a goroutine
// must not, because a preemption request at a function's entry would switch it
// away with the lock.
type spinlock struct{ held atomic.Uint32 }

// lock returns what unlock needs to restore interrupts.
func (l *spinlock) lock() (interrupts uintptr) {
	interrupts = interruptsOff()
	for !l.held.CompareAndSwap(0, 1) {
		if hooks.Relax != nil {
			hooks.Relax()
		}
		spinHint()
	}
	return interrupts
}

func (l *spinlock) unlock(interrupts uintptr) {
	l.held.Store(0)
	interruptsRestore(interrupts)
}
