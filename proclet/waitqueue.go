package proclet

// waitQueue holds waiters in the order in which they came. It lies in the state,
// inside a primitive whose latch guards it.
type waitQueue struct{ first, last *waiter }

func (q *waitQueue) empty() bool { return q.first == nil }

// push adds w behind all others.
func (q *waitQueue) push(w *waiter) {
	w.next, w.prev, w.queued = nil, q.last, true
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
}

// remove takes w, which is in the queue, out of it.
func (q *waitQueue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.next, w.prev, w.queued = nil, nil, false
}

// release takes the first waiter out of the queue and wakes it.
func (q *waitQueue) release() {
	w := q.first
	q.remove(w)
	unpark(w)
}

// releaseAll releases all waiters.
func (q *waitQueue) releaseAll() {
	for !q.empty() {
		q.release()
	}
}
