package proclet

import (
	"container/heap"
	"time"
)

// deadlines are the frozen threads of a proclet that wait with a deadline, while it lives
// here. They have one timer, for the earliest. Guarded by resident.mu.
//
// The threads are a heap in the sense of package container/heap: each knows its place,
// so that one that is woken can be taken out.
type deadlines struct {
	all   []*frozen
	timer *time.Timer
}

func (d *deadlines) Len() int           { return len(d.all) }
func (d *deadlines) Less(i, j int) bool { return d.all[i].waiter.deadline < d.all[j].waiter.deadline }
func (d *deadlines) Swap(i, j int) {
	d.all[i], d.all[j] = d.all[j], d.all[i]
	d.all[i].place, d.all[j].place = i, j
}

// Push adds z, a *frozen, at the end.
func (d *deadlines) Push(z any) {
	z.(*frozen).place = len(d.all)
	d.all = append(d.all, z.(*frozen))
}

// Pop removes the last one.
func (d *deadlines) Pop() any {
	last := len(d.all) - 1
	z := d.all[last]
	d.all = d.all[:last]
	return z
}

// remove takes z out, if it is there.
func (d *deadlines) remove(z *frozen) {
	if uint(z.place) < uint(len(d.all)) && d.all[z.place] == z {
		heap.Remove(d, z.place)
	}
}

// forget takes all out, without looking at them.
func (d *deadlines) forget() {
	d.all = nil
	if d.timer != nil {
		d.timer.Stop()
	}
}

// reviveAll makes those frozen threads run again that can, and sees to it that
// those with a deadline do in time. The gate has been opened and counts them, unless
// somebody has closed it again meanwhile: then they are frozen for him.
func (r *resident) reviveAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving.Load() != nil {
		return
	}
	r.deadlines.forget() // somebody may have been here since the gate was opened
	now := r.clock()
	for z := r.head.frozen.first; z != nil; {
		next := z.next
		switch {
		case z.waiter == nil || z.waiter.woken.Load():
			r.revive(z)
		case z.waiter.deadline != never:
			r.deadlines.Push(z)
		}
		z = next
	}
	heap.Init(&r.deadlines)
	r.reviveDue(now)
}

// reviveDue revives those whose deadline has passed, and sets the timer for the others.
// Called with mu held.
func (r *resident) reviveDue(now clock) {
	d := &r.deadlines
	for len(d.all) > 0 && d.all[0].waiter.deadline <= now {
		r.revive(d.all[0])
	}
	switch {
	case len(d.all) == 0:
	case d.timer == nil:
		d.timer = time.AfterFunc(time.Duration(d.all[0].waiter.deadline-now), r.deadlineCame)
	default:
		d.timer.Reset(time.Duration(d.all[0].waiter.deadline - now))
	}
}

// deadlineCame is called when the timer has run off.
func (r *resident) deadlineCame() {
	if !r.gate.enter(true) { // one that ends waits for them
		return // it leaves or has left; whoever opens the gate sees to it
	}
	defer r.gate.uncount()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving.Load() == nil {
		r.reviveDue(r.clock())
	}
}
