package nictest

import (
	"container/heap"
	"time"
)

// Faults of one direction between two devices. Probabilities are per frame,
// from 0 to 1.
type Faults struct {
	Loss      float64
	Duplicate float64 // the frame arrives twice
	Corrupt   float64 // one bit is flipped
	Truncate  float64 // the frame ends early
	// Reorder holds a frame back by ReorderBy (0 means 1 ms), so that later
	// ones overtake it.
	Reorder   float64
	ReorderBy time.Duration
	// Delay is what every frame takes, plus up to Jitter, which reorders too.
	Delay, Jitter time.Duration
}

// SetFaults sets the faults of every direction that SetLink does not name.
func (s *Segment) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// SetLink sets the faults of the direction from one device to another.
func (s *Segment) SetLink(from, to *Device, f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[[2]*Device{from, to}] = f
}

// Partition lets frames pass only inside a group; devices that are in no group
// hear nobody. Frames already on the way still arrive.
func (s *Segment) Partition(groups ...[]*Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = map[*Device]int{}
	for i, g := range groups {
		for _, d := range g {
			s.groups[d] = i + 1
		}
	}
}

// Heal ends a partition.
func (s *Segment) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = nil
}

// transmit carries one frame from one device to another, with the faults of
// that direction. Called with mu held.
func (s *Segment) transmit(from, to *Device, frame []byte) {
	if s.groups != nil && (s.groups[from] == 0 || s.groups[from] != s.groups[to]) {
		return
	}
	f, own := s.links[[2]*Device{from, to}]
	if !own {
		f = s.faults
	}
	if f == (Faults{}) {
		to.arrive(s.buffer(frame))
		return
	}
	if s.hits(f.Loss) {
		return
	}
	copies := 1
	if s.hits(f.Duplicate) {
		copies = 2
	}
	for range copies {
		b := s.buffer(frame)
		if s.hits(f.Corrupt) {
			s.buffers[b.buffer][s.dice.IntN(len(frame))] ^= 1 << s.dice.IntN(8)
		}
		if s.hits(f.Truncate) {
			b.length = s.dice.IntN(len(frame))
		}
		delay := f.Delay
		if f.Jitter > 0 {
			delay += time.Duration(s.dice.Int64N(int64(f.Jitter)))
		}
		if s.hits(f.Reorder) {
			if f.ReorderBy == 0 {
				f.ReorderBy = time.Millisecond
			}
			delay += f.ReorderBy
		}
		if delay == 0 {
			to.arrive(b)
		} else {
			s.later(delivery{time.Now().Add(delay), 0, to, b})
		}
	}
}

// hits throws the dice for a fault of probability p. Called with mu held.
func (s *Segment) hits(p float64) bool { return p > 0 && s.dice.Float64() < p }

// delivery is a frame on its way.
type delivery struct {
	due   time.Time
	order uint64 // among equal times, the order of sending
	to    *Device
	frame arrived
}

// deliveries is a heap of frames on their way, the next to arrive first.
type deliveries struct {
	heap []delivery
	sent uint64
}

func (d *deliveries) Len() int      { return len(d.heap) }
func (d *deliveries) Swap(i, j int) { d.heap[i], d.heap[j] = d.heap[j], d.heap[i] }
func (d *deliveries) Push(x any)    { d.heap = append(d.heap, x.(delivery)) }
func (d *deliveries) Less(i, j int) bool {
	if d.heap[i].due.Equal(d.heap[j].due) {
		return d.heap[i].order < d.heap[j].order
	}
	return d.heap[i].due.Before(d.heap[j].due)
}
func (d *deliveries) Pop() any {
	last := d.heap[len(d.heap)-1]
	d.heap = d.heap[:len(d.heap)-1]
	return last
}

// later queues a delivery. Called with mu held.
func (s *Segment) later(d delivery) {
	if s.closed {
		return
	}
	s.pending.sent++
	d.order = s.pending.sent
	heap.Push(&s.pending, d)
	if s.pending.heap[0].order == d.order {
		s.schedule()
	}
}

// schedule sets the timer to the next delivery. Called with mu held.
func (s *Segment) schedule() {
	in := time.Until(s.pending.heap[0].due)
	if s.timer == nil {
		s.timer = time.AfterFunc(in, s.deliver)
	} else {
		s.timer.Reset(in)
	}
}

// deliver hands over every frame whose time has come.
func (s *Segment) deliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for s.pending.Len() > 0 && !s.pending.heap[0].due.After(now) {
		d := heap.Pop(&s.pending).(delivery)
		d.to.arrive(d.frame)
	}
	if s.pending.Len() > 0 && !s.closed {
		s.schedule()
	}
}
