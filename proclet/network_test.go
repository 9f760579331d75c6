package proclet

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/mm"
	"nuos/rack"
)

// segment joins the networks of several runtimes in this process, and lets
// tests decide what happens to their messages.
type segment struct {
	mu        sync.Mutex
	machines  map[rack.MachineID]*fakeNet
	locations map[uint64]rack.Location
	names     map[string][]byte
	held      bool // what is published does not get to the directory
	// around is called for every call of ServiceProclet, if it is set; deliver has the
	// message executed.
	around func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error)
	// naming is called for every Bind and Resolve, if it is set.
	naming func(from rack.MachineID, name string)
}

// fakeNet is a machine of a segment.
type fakeNet struct {
	seg      *segment
	id       rack.MachineID
	rt       *Runtime
	dead     bool
	draining bool
	onDeath  []func(rack.MachineID)
	cache    map[uint64]rack.Location
	leased   map[mm.Range]bool
}

var (
	testMu      sync.Mutex
	testMachine rack.MachineID
	testHeap    = mm.HeapArea.Base + 1<<40
	testStack   = mm.StackArea.Base + 1<<40
)

// newSegment makes a segment of n machines.
func newSegment(t testing.TB, n int) (*segment, []*Runtime) {
	t.Helper()
	s := &segment{machines: map[rack.MachineID]*fakeNet{}, locations: map[uint64]rack.Location{}, names: map[string][]byte{}}
	var rts []*Runtime
	frames := mm.Frames()
	for range n {
		testMu.Lock()
		testMachine++
		f := &fakeNet{seg: s, id: testMachine, cache: map[uint64]rack.Location{}, leased: map[mm.Range]bool{}}
		testMu.Unlock()
		s.machines[f.id] = f
	}
	for _, id := range slices.Sorted(keysOf(s.machines)) {
		f := s.machines[id]
		f.rt = serve(f, 42)
		rts = append(rts, f.rt)
	}
	t.Cleanup(func() {
		s.mu.Lock()
		s.around = nil
		s.mu.Unlock()
		settle(t, rts)
		for _, rt := range rts {
			for _, r := range rt.all() {
				settle(t, rts) // the last one may have held this one
				if rt.find(r.id) == nil {
					continue
				}
				if err := r.heap.Check(); err != nil {
					t.Errorf("%v: %v", r.id, err)
				}
				switch err := destroyLeft(t, rt, r); {
				case errors.Is(err, errStuck):
					t.Errorf("destroying %v: %v", r.id, err)
					return
				case err != nil && !s.machines[rt.self].dead:
					t.Errorf("destroying %v: %v", r.id, err)
				}
			}
		}
		waitFor(t, "all frames to be free", func() bool { return mm.Frames() == frames })
	})
	return s, rts
}

var errStuck = errors.New("somebody stays inside")

// destroyLeft destroys a proclet that a test has left, if that does not take for
// ever: who is inside may wait for what a test that has failed has not come to do.
func destroyLeft(t testing.TB, rt *Runtime, r *resident) error {
	t.Helper()
	patience := 30 * time.Second
	if t.Failed() {
		patience = time.Second
	}
	destroyed := make(chan error, 1)
	go func() { destroyed <- rt.Destroy(r.id) }()
	select {
	case err := <-destroyed:
		return err
	case <-time.After(patience):
		return fmt.Errorf("%w: %d threads", errStuck, r.gate.inside())
	}
}

func keysOf(m map[rack.MachineID]*fakeNet) func(func(rack.MachineID) bool) {
	return func(yield func(rack.MachineID) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// kill lets a machine die: nobody reaches it any more.
func (s *segment) kill(id rack.MachineID) {
	s.mu.Lock()
	s.machines[id].dead = true
	var notify []func(rack.MachineID)
	for _, f := range s.machines {
		if !f.dead {
			notify = append(notify, f.onDeath...)
		}
	}
	s.mu.Unlock()
	for _, f := range notify {
		f(id)
	}
}

func (f *fakeNet) Self() rack.Member { return rack.Member{ID: f.id} }

func (f *fakeNet) Members() (ms []rack.Member) {
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	for _, id := range slices.Sorted(keysOf(f.seg.machines)) {
		if m := f.seg.machines[id]; !m.dead {
			ms = append(ms, rack.Member{ID: id, Draining: m.draining})
		}
	}
	return ms
}

func (f *fakeNet) Handle(rack.Service, func(rack.Request))       {}
func (f *fakeNet) HandleInline(rack.Service, func(rack.Request)) {}
func (f *fakeNet) OnDeath(g func(rack.MachineID))                { f.onDeath = append(f.onDeath, g) }

func (f *fakeNet) Call(_ context.Context, to rack.MachineID, _ rack.Service, req []byte) ([]byte, error) {
	f.seg.mu.Lock()
	m, around := f.seg.machines[to], f.seg.around
	dead, fenced := m.dead, f.dead
	f.seg.mu.Unlock()
	if fenced {
		return nil, &rack.CallError{To: to, Executed: rack.ErrNotSent, Cause: rack.ErrFenced}
	}
	if dead {
		return nil, &rack.CallError{To: to, Executed: rack.ErrNotSent, Cause: rack.ErrLost}
	}
	msg := slices.Clone(req)
	deliver := func() []byte { return m.rt.answer(f.id, msg) }
	if around != nil {
		return around(f.id, to, msg, deliver)
	}
	return deliver(), nil
}

func (f *fakeNet) Begin(to rack.MachineID, s rack.Service, req []byte, done func([]byte, error)) bool {
	go func() { done(f.Call(context.Background(), to, s, req)) }()
	return true
}

func (f *fakeNet) Linger(over *atomic.Bool) {
	for i := 0; i < 10 && !over.Load(); i++ {
		runtime.Gosched()
	}
}

func (f *fakeNet) LeaseHeap(capacity uint64) (mm.Range, error) {
	testMu.Lock()
	defer testMu.Unlock()
	testHeap = (testHeap + mm.Virt(capacity) - 1) &^ (mm.Virt(capacity) - 1)
	r := mm.Range{Base: testHeap, Size: capacity}
	testHeap = r.End()
	f.leased[r] = true
	return r, nil
}

func (f *fakeNet) LeaseStack(size uint64) (mm.Range, error) {
	testMu.Lock()
	defer testMu.Unlock()
	r := mm.Range{Base: testStack, Size: size}
	testStack = r.End()
	return r, nil
}

func (f *fakeNet) ReturnHeap(r mm.Range) {
	testMu.Lock()
	defer testMu.Unlock()
	if !f.leased[r] {
		panic(fmt.Sprintf("%v returned, which is not leased", r))
	}
	delete(f.leased, r)
}

func (f *fakeNet) leases() int {
	testMu.Lock()
	defer testMu.Unlock()
	return len(f.leased)
}

func (f *fakeNet) Publish(id uint64, at rack.Location) {
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	if old, ok := f.seg.locations[id]; !f.seg.held && (!ok || at.Moves > old.Moves) {
		f.seg.locations[id] = at
	}
	f.cache[id] = at
}

func (f *fakeNet) Forget(id uint64, _ rack.Location) {
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	delete(f.seg.locations, id)
	delete(f.cache, id)
}

func (f *fakeNet) Located(id uint64) (rack.Location, bool) {
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	at, ok := f.cache[id]
	return at, ok
}

func (f *fakeNet) Locate(ctx context.Context, id uint64) (rack.Location, error) {
	f.seg.mu.Lock()
	at, ok := f.cache[id]
	f.seg.mu.Unlock()
	if ok {
		return at, nil
	}
	return f.Relocate(ctx, id)
}

func (f *fakeNet) Relocate(_ context.Context, id uint64) (rack.Location, error) {
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	at, ok := f.seg.locations[id]
	if !ok {
		delete(f.cache, id)
		return at, rack.ErrNotFound
	}
	f.cache[id] = at
	return at, nil
}

func (f *fakeNet) Learn(id uint64, at rack.Location) {
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	if at.Moves >= f.cache[id].Moves {
		f.cache[id] = at
	}
}

func (f *fakeNet) Bind(_ context.Context, name string, value []byte) ([]byte, error) {
	f.named(name)
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	if _, ok := f.seg.names[name]; !ok {
		f.seg.names[name] = slices.Clone(value)
	}
	return slices.Clone(f.seg.names[name]), nil
}

func (f *fakeNet) Resolve(_ context.Context, name string) ([]byte, error) {
	f.named(name)
	f.seg.mu.Lock()
	defer f.seg.mu.Unlock()
	if v, ok := f.seg.names[name]; ok {
		return slices.Clone(v), nil
	}
	return nil, rack.ErrNotFound
}

func (f *fakeNet) named(name string) {
	f.seg.mu.Lock()
	naming := f.seg.naming
	f.seg.mu.Unlock()
	if naming != nil {
		naming(f.id, name)
	}
}
