//go:build metal

package kernel

import "nuos/kernel/internal/sched"

// Futexes: waiting for a wake on a word of memory. All are private to the one
// process, so the word's address is its identity.

const futexBuckets = 256

// bucket has the threads that wait on words whose addresses have the same hash, in
// the order in which they came. It fills a line of a cache.
type bucket struct {
	lock    sched.Lock
	threads waitList
	_       [52]byte
}

var futexes [futexBuckets]bucket

func futexBucket(addr uint64) *bucket {
	return &futexes[addr*0x9E3779B97F4A7C15>>56]
}

// futex is futex(2) with FUTEX_WAIT (relative timeout) and FUTEX_WAKE.
// Precondition: no lock is held.
func (c *cpu) futex(t *thread, addr, op, val, timeoutAt uint64) uint64 {
	const (
		opWait    = 0
		opWake    = 1
		opPrivate = 128
	)
	switch op &^ opPrivate {
	case opWait:
		deadline := int64(0)
		if timeoutAt != 0 {
			d, e := loadDuration(timeoutAt)
			if e != 0 {
				return errno(e)
			}
			deadline = after(d)
		}
		return c.futexWait(t, addr, uint32(val), deadline)
	case opWake:
		return futexWake(addr, uint32(val))
	}
	return errno(eNOSYS)
}

// futexWait begins a wait if the word has the value val. Whoever changes the word and
// then calls futexWake finds the thread in the bucket, or the thread finds the new value.
func (c *cpu) futexWait(t *thread, addr uint64, val uint32, deadline int64) uint64 {
	b := futexBucket(addr)
	for {
		b.lock.Lock()
		now, ok := c.loadMapped32(addr)
		if !ok {
			// The page is not there yet, and bringing it takes other locks.
			b.lock.Unlock()
			if _, ok = loadUser32(addr); !ok {
				return errno(eFAULT)
			}
			continue
		}
		if now != val {
			b.lock.Unlock()
			return errno(eAGAIN)
		}
		t.waitOn, t.ax = addr, 0
		b.threads.append(t)
		c.block(t, waitFutex, deadline)
		b.lock.Unlock()
		return blocked
	}
}

func futexWake(addr uint64, most uint32) uint64 {
	var woken waitList // ours
	n := uint64(0)
	b := futexBucket(addr)
	b.lock.Lock()
	for tid := b.threads.first; tid != 0 && n < uint64(most); {
		t := threadAt(tid)
		tid = t.next
		// One that somebody else has claimed has another reason to go on, and
		// waits for the bucket's lock to leave it.
		if t.waitOn == addr && t.task.Claim() {
			b.threads.remove(t)
			woken.append(t)
			n++
		}
	}
	b.lock.Unlock()
	for tid := woken.first; tid != 0; {
		t := threadAt(tid)
		tid = t.next
		unblock(t)
	}
	return n
}

// waitList is a list of threads through thread.next.
type waitList struct{ first, last int32 }

func (l *waitList) append(t *thread) {
	t.next = 0
	if l.last == 0 {
		l.first = t.tid
	} else {
		threadAt(l.last).next = t.tid
	}
	l.last = t.tid
}

func (l *waitList) remove(t *thread) {
	prev := int32(0)
	for tid := l.first; tid != 0; tid = threadAt(tid).next {
		if tid != t.tid {
			prev = tid
			continue
		}
		if prev == 0 {
			l.first = t.next
		} else {
			threadAt(prev).next = t.next
		}
		if l.last == t.tid {
			l.last = prev
		}
		t.next = 0
		return
	}
}
