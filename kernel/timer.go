//go:build metal

package kernel

// timerHeap is a binary heap of threads by the end of their waits, one for each
// processor, so that a deadline interrupts only the processor that it was set
// on. Index 0 is not used: thread.heapAt of 0 means "in no heap".
type timerHeap struct {
	n    int32
	tids uintptr // *[maxThreads]int32, allocated with the processor
}

func (h *timerHeap) slot(i int32) *int32 { return (*int32)(pointer(h.tids + uintptr(i)*4)) }

func (h *timerHeap) at(i int32) *thread { return (*thread)(pointer(threads[*h.slot(i)])) }

func (h *timerHeap) set(i int32, t *thread) {
	*h.slot(i) = t.tid
	t.heapAt = i
}

// first returns the earliest deadline, or forever.
func (h *timerHeap) first() int64 {
	if h.n == 0 {
		return forever
	}
	return h.at(1).deadline
}

func (h *timerHeap) push(cpu int32, t *thread) {
	h.n++
	t.heapCPU = cpu
	h.up(h.n, t)
}

func (h *timerHeap) remove(t *thread) {
	i := t.heapAt
	t.heapAt = 0
	last := h.at(h.n)
	h.n--
	if last == t {
		return
	}
	if i > 1 && last.deadline < h.at(i/2).deadline {
		h.up(i, last)
	} else {
		h.down(i, last)
	}
}

func (h *timerHeap) up(i int32, t *thread) {
	for i > 1 && t.deadline < h.at(i/2).deadline {
		h.set(i, h.at(i/2))
		i /= 2
	}
	h.set(i, t)
}

func (h *timerHeap) down(i int32, t *thread) {
	for 2*i <= h.n {
		child := 2 * i
		if child < h.n && h.at(child+1).deadline < h.at(child).deadline {
			child++
		}
		if t.deadline <= h.at(child).deadline {
			break
		}
		h.set(i, h.at(child))
		i = child
	}
	h.set(i, t)
}

// nextTimer is the moment for which the processor's timer is needed.
func (c *cpu) nextTimer() int64 {
	next := c.sleepers.first()
	if c.timers != 0 {
		next = min(next, timers[c.timers-1].deadline)
	}
	return next
}

// runTimers ends the waits whose deadline has passed.
// Precondition: the kernel's lock is held.
func (c *cpu) runTimers(now int64) {
	for c.sleepers.n > 0 && c.sleepers.at(1).deadline <= now {
		timeout(c.sleepers.at(1))
	}
	c.runSetTimers(now)
}

// arm makes the processor's timer interrupt at the next deadline or at the end
// of the slice of t, the thread that runs next, nil if none does. A timer that is set for an earlier moment is
// left alone: one interrupt too many costs less than setting it every time.
func (c *cpu) arm(t *thread) {
	want := c.nextTimer()
	if t != nil {
		want = min(want, c.sliceEnd, profileEnd(t, c.since))
	}
	if want == forever || c.armed != 0 && c.armed <= want {
		return
	}
	c.armed = want
	setTimer(want)
}
