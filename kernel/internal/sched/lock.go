package sched

// Relax is called by whoever waits for a lock. It is set before there is a second
// processor; the kernel's answers requests of other processors.
var Relax func()

// Lock is a spin lock. Its holder is never interrupted, and waits for nobody but
// the holders of locks that come later in the order.
type Lock struct{ held atomicUint32 }

// Lock waits until nobody has the lock, and takes it.
func (l *Lock) Lock() {
	for !l.held.CompareAndSwap(0, 1) {
		l.await()
	}
}

// await is apart so that Lock is small enough to be compiled into its callers.
//
//go:noinline
func (l *Lock) await() {
	for l.held.Load() != 0 {
		Relax()
	}
}

// Unlock gives the lock back.
func (l *Lock) Unlock() { l.held.Store(0) }
