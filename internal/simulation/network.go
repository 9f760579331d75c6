package simulation

import (
	"container/heap"
	"time"
)

// Network says how long messages take. What the transport of a rack does is taken for granted: a
// message arrives once, those that were lost later, and of two the second may be first.
type Network struct {
	Delay, Jitter time.Duration // each message takes Delay and up to Jitter more
	Loss          float64       // of transmissions, each of which is repeated after a while
}

// repeatAfter is when a message that was lost is sent again; each time it takes twice as long.
const repeatAfter = 2 * time.Millisecond

// event is something that happens at a moment.
type event struct {
	at  time.Duration
	seq uint64 // of two at the same time, the one that was planned first
	do  func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	(*a)[len(*a)-1].do = nil
	*a = (*a)[:len(*a)-1]
	return last
}

// after plans something.
func (w *world) after(d time.Duration, do func()) {
	w.planned++
	heap.Push(&w.agenda, event{w.now + d, w.planned, do})
}

// advance has everything happen that is due until a moment, in order.
func (w *world) advance(to time.Duration) {
	for len(w.agenda) > 0 && w.agenda[0].at <= to && w.broken == nil {
		e := heap.Pop(&w.agenda).(event)
		w.now = e.at
		e.do()
	}
	w.now = to
}

// send has a message arrive, unless one of the two is dead by then. What comes for a machine that pauses
// waits for it.
func (w *world) send(from, to *machine, arrive func()) {
	d := w.config.Network.Delay
	if j := w.config.Network.Jitter; j > 0 {
		d += time.Duration(w.random.Int64N(int64(j)))
	}
	for again := repeatAfter; w.random.Float64() < w.config.Network.Loss; again *= 2 {
		d += again
	}
	w.after(d, func() { w.deliver(from, to, arrive) })
}

func (w *world) deliver(from, to *machine, arrive func()) {
	switch {
	case to.dead || from.dead:
	case w.apart(from, to):
		w.after(w.healed-w.now, func() { w.deliver(from, to, arrive) })
	case w.now < to.paused:
		w.after(to.paused-w.now, func() { w.deliver(from, to, arrive) })
	default:
		arrive()
	}
}

// apart reports whether two machines are cut off from each other.
func (w *world) apart(a, b *machine) bool { return w.now < w.healed && a.side != b.side }
