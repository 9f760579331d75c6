package tor

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Faults is what a link does to frames, in each direction on its own: a frame
// from one machine to another crosses two links. Probabilities are from 0 to
// 1 and apply to each frame.
type Faults struct {
	Loss      float64
	Duplicate float64
	Corrupt   float64 // one bit is flipped, anywhere in the frame; every checksum must notice that
	Reorder   float64 // the frame is held back for ReorderBy, so that later ones overtake it

	Delay     time.Duration // of every frame
	Jitter    time.Duration // added at random, evenly from 0 to this; it reorders too
	ReorderBy time.Duration // 0 means a millisecond

	Down bool // nothing passes
}

const defaultReorderBy = time.Millisecond

func (f Faults) check() error {
	for _, p := range []float64{f.Loss, f.Duplicate, f.Corrupt, f.Reorder} {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("tor: probability %v is not between 0 and 1", p)
		}
	}
	if f.Delay < 0 || f.Jitter < 0 || f.ReorderBy < 0 {
		return fmt.Errorf("tor: a delay is negative")
	}
	return nil
}

// SetFaults has the link of p do f to frames from now on. The zero Faults
// make it perfect again. Frames already delayed still arrive.
func (p *Port) SetFaults(f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	p.ingress.set(f)
	p.egress.set(f)
	return nil
}

// Faults returns what SetFaults was given last.
func (p *Port) Faults() Faults {
	p.ingress.mu.Lock()
	defer p.ingress.mu.Unlock()
	return p.ingress.faults
}

// A direction of a link, as the switch sees it.
const (
	inward = iota
	outward
)

// link is one direction of the cable between a port and its peer.
type link struct {
	direction int
	faulty    atomic.Bool // false: pass does nothing, without the lock

	mu     sync.Mutex
	faults Faults
	random *rand.Rand
}

func (l *link) init(seed uint64, port, direction int) {
	l.direction = direction
	l.random = rand.New(rand.NewPCG(seed, uint64(port)<<1|uint64(direction)))
}

func (l *link) set(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
	l.faulty.Store(f != Faults{})
}

// pass returns the frame as it comes out of the link and how many copies of it
// come out at once. Those that come out later are in the delay line. The
// result is the frame itself or a changed copy.
func (l *link) pass(sw *Switch, p *Port, frame []byte) (out []byte, copies int) {
	if !l.faulty.Load() {
		return frame, 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.faults
	if f.Down || l.happens(f.Loss) {
		p.count.Lost.Add(1)
		return nil, 0
	}
	total := 1
	if l.happens(f.Duplicate) {
		p.count.Duplicated.Add(1)
		total = 2
	}
	if l.happens(f.Corrupt) {
		p.count.Corrupted.Add(1)
		frame = append([]byte(nil), frame...)
		bit := l.random.IntN(8 * len(frame))
		frame[bit/8] ^= 1 << (bit % 8)
	}
	for range total {
		delay := l.delay(p)
		if delay == 0 {
			copies++
			continue
		}
		sw.delays.add(delayed{port: p, direction: l.direction, frame: append([]byte(nil), frame...)}, delay)
	}
	return frame, copies
}

// delay draws how long one frame is held back. mu is held.
func (l *link) delay(p *Port) time.Duration {
	f := &l.faults
	d := f.Delay
	if f.Jitter > 0 {
		d += time.Duration(l.random.Int64N(int64(f.Jitter)))
	}
	if d > 0 {
		p.count.Delayed.Add(1)
	}
	if l.happens(f.Reorder) {
		p.count.Reordered.Add(1)
		if f.ReorderBy > 0 {
			d += f.ReorderBy
		} else {
			d += defaultReorderBy
		}
	}
	return d
}

func (l *link) happens(probability float64) bool {
	return probability > 0 && l.random.Float64() < probability
}
