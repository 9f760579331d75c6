//go:build metal

package kernel

// Futexes: waiting for a wake on a word of memory. All are private to the one
// process, so the word's address is its identity.

const futexBuckets = 256

// futexes are lists of waiting threads in the order in which they came.
var futexes [futexBuckets]waitList

func futexBucket(addr uint64) *waitList {
	return &futexes[addr*0x9E3779B97F4A7C15>>56]
}

// futex is futex(2) with FUTEX_WAIT (relative timeout) and FUTEX_WAKE.
func (c *cpu) futex(t *thread, addr, op, val, timeoutAt uint64) uint64 {
	const (
		opWait    = 0
		opWake    = 1
		opPrivate = 128
	)
	switch op &^ opPrivate {
	case opWait:
		now, ok := loadUser32(addr)
		if !ok {
			return errno(eFAULT)
		}
		if now != uint32(val) {
			return errno(eAGAIN)
		}
		deadline := int64(0)
		if timeoutAt != 0 {
			d, e := loadDuration(timeoutAt)
			if e != 0 {
				return errno(e)
			}
			deadline = after(d)
		}
		t.waitOn = addr
		futexBucket(addr).append(t)
		t.ax = 0
		c.block(t, waitFutex, deadline)
		return blocked
	case opWake:
		return futexWake(addr, uint32(val))
	}
	return errno(eNOSYS)
}

func futexWake(addr uint64, most uint32) uint64 {
	woken := uint32(0)
	b := futexBucket(addr)
	for tid := b.first; tid != 0 && woken < most; {
		t := threadAt(tid)
		tid = t.next
		if t.waitOn == addr {
			b.remove(t)
			unblock(t)
			woken++
		}
	}
	return uint64(woken)
}

func futexRemove(t *thread) { futexBucket(t.waitOn).remove(t) }

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
