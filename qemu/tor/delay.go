package tor

import (
	"container/heap"
	"sync"
	"time"
)

// maxDelayed bounds the bytes in the delay line; a frame that finds it full
// is dropped, as by a switch without memory.
const maxDelayed = 64 << 20

// delayed is a frame on a slow link.
type delayed struct {
	port      *Port
	direction int
	frame     []byte

	due   time.Time
	order uint64 // frames due at the same time keep their order
}

// delayLine holds the frames of all slow links and lets each go when it is
// due, from one goroutine.
type delayLine struct {
	mu      sync.Mutex
	waiting dueHeap
	bytes   int
	order   uint64
	closed  bool
	sooner  chan struct{} // the first frame changed; capacity 1
}

func (d *delayLine) start() {
	d.sooner = make(chan struct{}, 1)
	go d.run()
}

func (d *delayLine) stop() {
	d.mu.Lock()
	d.closed = true
	d.waiting = nil
	d.mu.Unlock()
	d.nudge()
}

func (d *delayLine) nudge() {
	select {
	case d.sooner <- struct{}{}:
	default:
	}
}

func (d *delayLine) add(f delayed, after time.Duration) {
	f.due = time.Now().Add(after)
	d.mu.Lock()
	if d.closed || d.bytes+len(f.frame) > maxDelayed {
		d.mu.Unlock()
		f.port.count.Dropped.Add(1)
		return
	}
	f.order = d.order
	d.order++
	d.bytes += len(f.frame)
	heap.Push(&d.waiting, f)
	first := d.waiting[0].order == f.order
	d.mu.Unlock()
	if first {
		d.nudge()
	}
}

func (d *delayLine) run() {
	var b batch
	timer := time.NewTimer(time.Hour)
	for {
		d.mu.Lock()
		closed, wait := d.closed, time.Hour
		var due []delayed
		for now := time.Now(); len(d.waiting) > 0; {
			if wait = d.waiting[0].due.Sub(now); wait > 0 {
				break
			}
			f := heap.Pop(&d.waiting).(delayed)
			d.bytes -= len(f.frame)
			due = append(due, f)
			wait = time.Hour
		}
		d.mu.Unlock()
		if closed {
			return
		}
		for _, f := range due {
			f.arrive(&b)
		}
		b.flush()
		if len(due) > 0 {
			continue // time has passed
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-d.sooner:
		}
	}
}

// arrive goes on where link.pass stopped.
func (f *delayed) arrive(b *batch) {
	if f.direction == inward {
		f.port.sw.route(b, f.port, f.frame)
	} else {
		f.port.transmit(b, f.frame)
	}
}

// dueHeap implements heap.Interface.
type dueHeap []delayed

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].order < h[j].order
	}
	return h[i].due.Before(h[j].due)
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(delayed)) }
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
