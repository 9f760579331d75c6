package sched

import "unsafe"

// never is later than any time.
const never = int64(1<<63 - 1)

// queue has the ready tasks of a processor, in the order in which they came.
type queue struct {
	lock  Lock
	first uintptr // *Task
	last  uintptr
	least atomicInt64 // the least run time in the queue, and 1; 0 means that it is empty
}

// task turns an address back into a task. Sound because tasks do not move and their
// owner keeps them alive.
func task(addr uintptr) *Task { return *(**Task)(unsafe.Pointer(&addr)) }

// leastRuntime is the run time of the task that would go first, never if there is none.
func (q *queue) leastRuntime() int64 {
	if l := q.least.Load(); l != 0 {
		return l - 1
	}
	return never
}

// add appends t, which is ready and which the caller owns no more.
func (q *queue) add(t *Task, cpu int32) {
	q.lock.Lock()
	t.queue.Store(cpu + 1)
	t.next = 0
	at := uintptr(unsafe.Pointer(t))
	if q.last == 0 {
		q.first = at
	} else {
		task(q.last).next = at
	}
	q.last = at
	q.settle()
	q.lock.Unlock()
}

// settle works out what the queue shows.
func (q *queue) settle() {
	least := never
	for at := q.first; at != 0; at = task(at).next {
		least = min(least, task(at).runtime)
	}
	if least == never {
		q.least.Store(0)
	} else {
		q.least.Store(least + 1)
	}
}

// take removes the task that has run least of those that may run on a processor, the
// first one of several, and makes it run there; nil if there is none.
func (q *queue) take(cpu int32) *Task {
	if q.least.Load() == 0 {
		return nil
	}
	q.lock.Lock()
	var best, bestBefore, before uintptr
	for at := q.first; at != 0; before, at = at, task(at).next {
		if t := task(at); t.Allowed()>>uint(cpu)&1 != 0 && (best == 0 || t.runtime < task(best).runtime) {
			best, bestBefore = at, before
		}
	}
	if best == 0 {
		q.lock.Unlock()
		return nil
	}
	t := task(best)
	q.unlink(t, bestBefore)
	t.cpu.Store(cpu)
	t.set(running)
	q.lock.Unlock()
	return t
}

// remove takes t out, if it is there, and makes it the caller's.
func (q *queue) remove(t *Task) bool {
	q.lock.Lock()
	found, before := false, uintptr(0)
	for at := q.first; at != 0; before, at = at, task(at).next {
		if found = task(at) == t; found {
			q.unlink(t, before)
			t.set(claimed)
			break
		}
	}
	q.lock.Unlock()
	return found
}

// has reports whether t is in the queue, which is that of a processor, when nobody is
// taking anything out.
func (q *queue) has(t *Task, cpu int32) bool {
	q.lock.Lock()
	has := t.queue.Load() == cpu+1
	q.lock.Unlock()
	return has
}

func (q *queue) unlink(t *Task, before uintptr) {
	if before == 0 {
		q.first = t.next
	} else {
		task(before).next = t.next
	}
	if q.last == uintptr(unsafe.Pointer(t)) {
		q.last = before
	}
	t.queue.Store(0)
	q.settle()
}

// most is the highest run time in the queue, at least that of t.
func (q *queue) most(t *Task) int64 {
	q.lock.Lock()
	most := t.runtime
	for at := q.first; at != 0; at = task(at).next {
		most = max(most, task(at).runtime)
	}
	q.lock.Unlock()
	return most
}
