package stress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nuos/mm"
	"nuos/rack"
	"nuos/rack/placement"
)

// ErrOrder means that an order cannot be carried out.
var ErrOrder = errors.New("stress: bad order")

// Order says what is to be taken. Several add up. The zero Order takes nothing.
type Order struct {
	Rate  uint64        `json:"rate,omitempty"`  // bytes of memory a second
	Leave uint64        `json:"leave,omitempty"` // bytes to leave free; 0: half of what makes memory pressure
	Cores int           `json:"cores,omitempty"` // threads that compute
	For   time.Duration `json:"for,omitempty"`   // until it is given back
	Stop  bool          `json:"stop,omitempty"`  // end all orders
}

// Status is what is taken from a machine.
type Status struct {
	Bytes uint64 `json:"bytes"`
	Cores int    `json:"cores"`
}

// Longest and MaxCores bound an order.
const (
	Longest  = time.Hour
	MaxCores = 1024
)

// Stress takes what it is ordered to from the machine that it runs on.
type Stress struct {
	bytes atomic.Uint64
	cores atomic.Int64

	mu     sync.Mutex
	ctx    context.Context // of all orders
	cancel context.CancelFunc
	all    sync.WaitGroup
}

// Serve answers rack.ServiceStress.
func Serve(r *rack.Rack) *Stress {
	s := &Stress{}
	r.Handle(rack.ServiceStress, func(q rack.Request) {
		var o Order
		err := json.Unmarshal(q.Data, &o)
		if err == nil {
			err = s.Obey(o)
		}
		var b []byte
		if err == nil {
			b, err = json.Marshal(s.Status())
		}
		if err != nil {
			q.Fail(err)
			return
		}
		q.Reply(b)
	})
	return s
}

// Ask has a machine obey an order, and returns what is taken from it. r may be an observer.
func Ask(ctx context.Context, r *rack.Rack, machine rack.MachineID, o Order) (Status, error) {
	var st Status
	b, err := json.Marshal(o)
	if err != nil {
		return st, err
	}
	if b, err = r.Call(ctx, machine, rack.ServiceStress, b); err != nil {
		return st, err
	}
	return st, json.Unmarshal(b, &st)
}

// Status returns what is taken now.
func (s *Stress) Status() Status { return Status{s.bytes.Load(), int(s.cores.Load())} }

// Obey begins to carry out an order. With Stop it returns when everything has been given back.
func (s *Stress) Obey(o Order) error {
	switch {
	case o.For < 0 || o.For > Longest:
		return fmt.Errorf("%w: for %v; at most %v", ErrOrder, o.For, Longest)
	case o.Cores < 0 || o.Cores > MaxCores:
		return fmt.Errorf("%w: %d cores; at most %d", ErrOrder, o.Cores, MaxCores)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Stop && s.cancel != nil {
		s.cancel()
		s.cancel = nil
		s.all.Wait()
	}
	if s.cancel == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	ctx, cancel := context.WithTimeout(s.ctx, o.For)
	var work sync.WaitGroup
	if o.Rate > 0 {
		work.Go(func() { s.takeMemory(ctx, o) })
	}
	for range o.Cores {
		work.Go(func() { s.compute(ctx) })
	}
	s.all.Go(func() {
		work.Wait()
		cancel()
	})
	return nil
}

// compute keeps a thread busy until ctx ends.
func (s *Stress) compute(ctx context.Context) {
	runtime.LockOSThread() // it never unlocks it, so the thread ends with the goroutine
	s.cores.Add(1)
	defer s.cores.Add(-1)
	var over atomic.Bool
	defer context.AfterFunc(ctx, func() { over.Store(true) })()
	for !over.Load() {
		for range 1000 {
		}
	}
}

// largestPiece is how much is taken at once, if there are as many frames in a row.
const largestPiece = 2 << 20

// takeMemory takes memory until ctx ends, and gives it back.
func (s *Stress) takeMemory(ctx context.Context, o Order) {
	var taken []mm.Range
	defer func() {
		for _, r := range taken {
			if err := mm.FreeDMA(r); err != nil {
				panic(err) // nobody else has it
			}
			s.bytes.Add(-r.Size)
		}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for last := time.Now(); ; {
		owed := uint64(0) // of what is not due now, because it has to be left, nothing is owed later
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := time.Now()
			owed = uint64(now.Sub(last).Seconds() * float64(o.Rate))
			if owed < mm.PageSize {
				continue
			}
			last = now
		}
		for largest := uint64(largestPiece); owed >= mm.PageSize && largest >= mm.PageSize; {
			r, err := takePiece(min(owed, largest), o.Leave)
			if err != nil {
				largest /= 2
				continue
			}
			taken = append(taken, r)
			s.bytes.Add(r.Size)
			owed -= r.Size
		}
	}
}

// takePiece takes at most so many bytes, if that leaves enough.
func takePiece(most, leave uint64) (mm.Range, error) {
	size := uint64(1) << (bits.Len64(most) - 1)
	frames := mm.Frames()
	if leave == 0 {
		p := placement.Default()
		leave = p.Watermark(frames.Total*mm.PageSize) / 2
	}
	if frames.Free*mm.PageSize < leave+size {
		return mm.Range{}, mm.ErrNoMemory
	}
	return mm.AllocDMA(size)
}
