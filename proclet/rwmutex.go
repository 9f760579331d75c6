package proclet

import (
	"sync/atomic"
	"time"
)

// RWMutex is a lock in a proclet's state that one writer or any number of
// readers hold. The zero value is open. It must not be copied after its first
// use.
//
// Readers and writers take turns: while a writer waits, new readers wait behind
// it, and all readers that wait when a writer unlocks come before the next
// writer. So a reader waits for one writer at the most, and between two writers
// that wait there is one turn of readers at the most. A thread that holds the
// lock for reading must not ask for it again: it would wait for a writer that
// waits for it.
type RWMutex struct {
	word    atomic.Uint32
	latch   latch // guards the queues
	readers waitQueue
	writers waitQueue
}

// The word of an RWMutex. It hands itself over to those who wait; while
// rwWaiting is set it changes only with the latch held.
const (
	rwWriter  = 1 << iota
	rwWaiting // a queue is not empty
	rwReader  // one reader; the rest of the word counts them
)

// Lock locks rw for writing. It panics with ErrHeapFull if it has to wait and the
// heap has no room for that.
func (rw *RWMutex) Lock(t *Thread) {
	if !rw.word.CompareAndSwap(0, rwWriter) {
		rw.acquire(t, rwWriter, never)
	}
}

// LockFor is Lock, but gives up after d. It reports whether rw is locked.
func (rw *RWMutex) LockFor(t *Thread, d time.Duration) bool {
	return rw.TryLock(t) || rw.acquire(t, rwWriter, t.after(d))
}

// TryLock locks rw for writing if nobody holds it, and reports whether it did.
func (rw *RWMutex) TryLock(t *Thread) bool { return rw.word.CompareAndSwap(0, rwWriter) }

// Unlock ends Lock. It panics if rw is not locked for writing.
func (rw *RWMutex) Unlock(t *Thread) {
	if !rw.word.CompareAndSwap(rwWriter, 0) && !rw.release(rwWriter) {
		panic("proclet: Unlock of an RWMutex that is not locked for writing")
	}
}

// RLock locks rw for reading. It panics with ErrHeapFull if it has to wait and the
// heap has no room for that.
func (rw *RWMutex) RLock(t *Thread) {
	if !rw.TryRLock(t) {
		rw.acquire(t, rwReader, never)
	}
}

// RLockFor is RLock, but gives up after d. It reports whether rw is locked.
func (rw *RWMutex) RLockFor(t *Thread, d time.Duration) bool {
	return rw.TryRLock(t) || rw.acquire(t, rwReader, t.after(d))
}

// TryRLock locks rw for reading if no writer holds it or waits for it, and
// reports whether it did.
func (rw *RWMutex) TryRLock(t *Thread) bool {
	for {
		s := rw.word.Load()
		if s&(rwWriter|rwWaiting) != 0 {
			return false
		}
		if rw.word.CompareAndSwap(s, s+rwReader) {
			return true
		}
	}
}

// RUnlock ends RLock. It panics if rw is not locked for reading.
func (rw *RWMutex) RUnlock(t *Thread) {
	for {
		s := rw.word.Load()
		if s&rwWaiting != 0 || s < rwReader {
			break
		}
		if rw.word.CompareAndSwap(s, s-rwReader) {
			return
		}
	}
	if !rw.release(rwReader) {
		panic("proclet: RUnlock of an RWMutex that is not locked for reading")
	}
}

// acquire locks rw by way of a queue, for reading (rwReader) or writing
// (rwWriter). It reports whether it did before the deadline.
func (rw *RWMutex) acquire(t *Thread, what uint32, deadline clock) bool {
	w := t.await()
	q := &rw.readers
	if what == rwWriter {
		q = &rw.writers
	}
	rw.latch.lock()
	q.push(w)
	rw.word.Or(rwWaiting)
	rw.admit(false) // it may be open by now
	rw.latch.unlock()
	locked := t.park(w, deadline)
	if !locked {
		rw.latch.lock()
		locked = !w.queued
		if !locked {
			q.remove(w)
			rw.admit(false) // readers may have waited for this writer only
		}
		rw.latch.unlock()
	}
	t.awaited(w, locked)
	return locked
}

// release gives up what acquire got, and reports whether rw was locked so.
func (rw *RWMutex) release(what uint32) bool {
	rw.latch.lock()
	defer rw.latch.unlock()
	s := rw.word.Or(rwWaiting) // from here on nobody else changes it
	held := what == rwWriter && s&rwWriter != 0 || what == rwReader && s >= rwReader
	if held {
		rw.word.Add(-what)
	}
	rw.admit(what == rwWriter)
	return held
}

// admit hands rw over to those who wait and can have it: readers first if a
// writer had its turn. Called with rwWaiting set and the latch held.
func (rw *RWMutex) admit(readersFirst bool) {
	s := rw.word.Load() &^ rwWaiting
	if s != rwWriter && (readersFirst || rw.writers.empty()) {
		for ; !rw.readers.empty(); s += rwReader {
			rw.readers.release()
		}
	}
	if s == 0 && !rw.writers.empty() {
		rw.writers.release()
		s = rwWriter
	}
	if !rw.readers.empty() || !rw.writers.empty() {
		s |= rwWaiting
	}
	rw.word.Store(s)
}
