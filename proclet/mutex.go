package proclet

import (
	"sync/atomic"
	"time"
)

// Mutex is a lock in a proclet's state. The zero value is open. It must not be
// copied after its first use. Any thread of the proclet may unlock it.
//
// Whoever comes while it is open gets it, even past threads that wait, which
// keeps it busy while the first of these is on its way to a processor. That one
// is not overtaken for ever: when it comes and finds the Mutex locked again, or
// after 64 were faster, the next Unlock hands the Mutex over to it.
type Mutex struct {
	word  atomic.Uint32
	latch latch     // its own waiters never outlive a visit, so it moves open
	queue waitQueue // of those that wait, guarded by the latch
}

// The word of a Mutex. While it is locked with mutexWaiting set it changes only
// with the latch held.
const (
	mutexLocked  = 1 << iota
	mutexWaiting // the queue is not empty
	mutexWoken   // the Mutex was opened and the first waiter woken, which has not been here since
	mutexOvertaken

	// From bit mutexOvertaken on: how often the Mutex was locked past the first
	// waiter since that was woken. With maxOvertakes the Mutex is locked, and is
	// handed over.
	maxOvertakes  = 64
	mutexHandOver = maxOvertakes * mutexOvertaken
)

// maxHeld is how many locks a method may hold until it has ended.
const maxHeld = 4

// Lock locks m, and waits until it can. It panics with ErrHeapFull if it has to
// wait and the heap has no room for that.
func (m *Mutex) Lock(t *Thread) {
	if !m.word.CompareAndSwap(0, mutexLocked) {
		m.lock(t, never)
	}
}

// LockFor is Lock, but gives up after d. It reports whether m is locked.
func (m *Mutex) LockFor(t *Thread, d time.Duration) bool {
	return m.TryLock(t) || m.lock(t, t.after(d))
}

// TryLock locks m if it is open, and reports whether it did.
func (m *Mutex) TryLock(t *Thread) bool {
	for {
		s := m.word.Load()
		if s&mutexLocked != 0 {
			return false
		}
		next := s | mutexLocked
		if s&mutexWoken != 0 {
			next += mutexOvertaken
		}
		if m.word.CompareAndSwap(s, next) {
			return true
		}
	}
}

// Unlock unlocks m. It panics if m is not locked.
func (m *Mutex) Unlock(t *Thread) {
	if t.nheld != 0 || !m.word.CompareAndSwap(mutexLocked, 0) {
		m.unlockSlow(t)
	}
}

func (m *Mutex) unlockSlow(t *Thread) {
	t.unhold(m)
	if !m.unlock() {
		panic("proclet: Unlock of an unlocked Mutex")
	}
}

// Hold locks m until t's method has returned and its result has been copied. So
// the method may return what refers to state that m guards, such as the
// contents of a [String]; with a deferred Unlock another call could change it
// before it is copied. A method that holds m already may call Hold again.
// Unlock ends it early.
func (m *Mutex) Hold(t *Thread) {
	for _, h := range t.held[:t.nheld] {
		if h == m {
			return
		}
	}
	t.heapOf() // a goroutine outside has no end to wait for
	if t.nheld == maxHeld {
		panic("proclet: a method may hold 4 locks")
	}
	m.Lock(t)
	t.held[t.nheld] = m
	t.nheld++
}

// unhold makes the end of t's method leave m alone.
func (t *Thread) unhold(m *Mutex) {
	for i, h := range t.held[:t.nheld] {
		if h == m {
			t.nheld--
			t.held[i] = t.held[t.nheld]
			return
		}
	}
}

func (m *Mutex) lock(t *Thread, deadline clock) bool {
	if m.TryLock(t) {
		return true
	}
	w := t.await()
	locked := m.wait(t, w, deadline)
	t.awaited(w, locked)
	return locked
}

// wait locks m by way of the queue. It reports whether it did before the
// deadline.
func (m *Mutex) wait(t *Thread, w *waiter, deadline clock) bool {
	if !m.enqueue(t, w) {
		return true
	}
	for {
		woken := t.park(w, deadline)
		m.latch.lock()
		over, locked := m.arrive(w, !woken)
		m.latch.unlock()
		if over {
			return locked
		}
	}
}

// enqueue puts w into the queue, unless it can lock m at once.
func (m *Mutex) enqueue(t *Thread, w *waiter) bool {
	m.latch.lock()
	defer m.latch.unlock()
	for !m.TryLock(t) {
		if s := m.word.Load(); s&mutexLocked != 0 && m.word.CompareAndSwap(s, s|mutexWaiting) {
			m.queue.push(w)
			return true
		}
	}
	return false
}

// arrive is what w's thread does when it has been woken or its time is up.
// Called with the latch held.
func (m *Mutex) arrive(w *waiter, timeout bool) (over, locked bool) {
	if !w.queued {
		return true, true // handed over
	}
	if m.queue.first != w { // only the first is ever woken
		m.queue.remove(w)
		return true, false
	}
	for {
		s := m.word.Load()
		open := s&mutexLocked == 0
		over = open || timeout
		next := lockedPast(w)
		if !over {
			next = mutexLocked | mutexWaiting | mutexHandOver
		}
		if m.word.CompareAndSwap(s, next) {
			if over {
				m.queue.remove(w)
			}
			return over, open
		}
	}
}

// lockedPast is the word of a locked Mutex whose first waiter w leaves the queue.
func lockedPast(w *waiter) uint32 {
	if w.next != nil {
		return mutexLocked | mutexWaiting
	}
	return mutexLocked
}

// unlock unlocks m, and reports whether it was locked.
func (m *Mutex) unlock() bool {
	for {
		s := m.word.Load()
		switch {
		case s&mutexLocked == 0:
			return false
		case s&mutexWaiting != 0 && (s&mutexWoken == 0 || s >= mutexHandOver):
			if m.pass() {
				return true
			}
		case m.word.CompareAndSwap(s, s&^mutexLocked): // nobody is to be woken
			return true
		}
	}
}

// pass opens m and wakes the first waiter, or hands m over to it. It reports false
// if there is no waiter to be woken any more.
func (m *Mutex) pass() bool {
	m.latch.lock()
	defer m.latch.unlock()
	s := m.word.Load()
	w := m.queue.first
	if w == nil || s&mutexLocked == 0 {
		return false
	}
	if s < mutexHandOver {
		if s&mutexWoken != 0 || !m.word.CompareAndSwap(s, mutexWaiting|mutexWoken) {
			return false
		}
		unpark(w)
		return true
	}
	if !m.word.CompareAndSwap(s, lockedPast(w)) {
		return false
	}
	m.queue.remove(w)
	if s&mutexWoken == 0 { // otherwise it is coming
		unpark(w)
	}
	return true
}
