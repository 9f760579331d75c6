package proclet

import (
	"sync"
	"time"
	"unsafe"
)

// waiter is a thread that waits, as the primitive sees it that the thread waits
// for. It lies in the heap of the proclet in which the thread waits.
//
// Its primitive links it into a [waitQueue] and guards it with its internal lock:
// the one who lets the thread go on takes the waiter out of the queue and wakes
// it, both with the lock held. So a thread whose time is up, and that takes the
// lock, finds out whether it has got what it waited for after all, and that nobody
// else is going to touch the waiter.
type waiter struct {
	next, prev *waiter // in the queue
	queued     bool
	n          int64 // what it waits for, or what it got, in the primitive's terms
}

// parked finds what a waiter's thread sleeps on.
var parked sync.Map // address of waiter -> chan struct{}, with room for one

// newWaiter returns a waiter for t, which freeWaiter gives back. It panics with
// ErrHeapFull if the heap has no room for it. It is not called with an internal
// lock held.
func (t *Thread) newWaiter() *waiter {
	if t.heap == nil {
		panic("proclet: waiting outside a method of a proclet")
	}
	p, err := t.heap.AllocReserved(uint64(unsafe.Sizeof(waiter{})))
	if err != nil {
		panic(err)
	}
	w := (*waiter)(p)
	*w = waiter{}
	parked.Store(uintptr(p), make(chan struct{}, 1))
	return w
}

// freeWaiter gives w back, which is in no queue.
func (t *Thread) freeWaiter(w *waiter) {
	parked.Delete(uintptr(unsafe.Pointer(w)))
	t.heap.Free(unsafe.Pointer(w))
}

// block returns true when w has been woken, at once if it was before, and false
// when the deadline has passed. Each wake ends one block. The caller holds no
// internal lock.
//
// It is a safe point: the thread may go on on another machine.
func (t *Thread) block(w *waiter, deadline clock) bool {
	c, _ := parked.Load(uintptr(unsafe.Pointer(w)))
	woken := c.(chan struct{})
	if deadline == never {
		<-woken
		return true
	}
	timer := time.NewTimer(time.Duration(deadline - t.clock()))
	defer timer.Stop()
	select {
	case <-woken:
		return true
	case <-timer.C:
		return false
	}
}

// wake ends w's block, or its next one. It does not wait. The caller holds the
// internal lock of the primitive that w waits for. A thread whose block the
// deadline has ended may be woken until it takes that lock; freeWaiter forgets a
// wake that no block was ended by.
func wake(w *waiter) {
	c, _ := parked.Load(uintptr(unsafe.Pointer(w)))
	c.(chan struct{}) <- struct{}{}
}
