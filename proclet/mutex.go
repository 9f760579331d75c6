package proclet

import "sync"

// Mutex is a lock in a proclet's state. The zero value is open. A proclet moves
// only when no call is inside, so the lock travels open.
type Mutex struct {
	mu sync.Mutex // its waiters are known to it by address only, so it may lie in a heap
}

// maxHeld is how many locks a method may hold until it has ended.
const maxHeld = 4

// Lock locks m.
func (m *Mutex) Lock(t *Thread) { m.mu.Lock() }

// Unlock unlocks m, which Lock locked.
func (m *Mutex) Unlock(t *Thread) { m.mu.Unlock() }

// TryLock locks m if it is open, and reports whether it did.
func (m *Mutex) TryLock(t *Thread) bool { return m.mu.TryLock() }

// Hold locks m until t's method has returned and its result has been copied. So
// the method may return what refers to state that m guards, such as the
// contents of a [String]; with a deferred Unlock another call could change it
// before it is copied. A method that holds m already may call Hold again.
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
	m.mu.Lock()
	t.held[t.nheld] = m
	t.nheld++
}
