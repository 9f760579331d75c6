//go:build !race

// With the race detector threads are goroutines, which cannot move.

package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// crowd is a proclet with threads inside that do all there is to do.
type crowd struct {
	mu    proclet.Mutex
	cond  proclet.Cond
	open  bool
	turns int64 // of those that do not wait
	far   proclet.Ref[crowd]
}

// Meet makes another crowd known.
func (c *crowd) Meet(t *proclet.Thread, far proclet.Ref[crowd]) (struct{}, error) {
	return struct{}{}, c.far.Set(t, far)
}

// Open lets all threads end.
func (c *crowd) Open(t *proclet.Thread, _ struct{}) (struct{}, error) {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	c.open = true
	c.cond.Broadcast(t)
	return struct{}{}, nil
}

func (c *crowd) isOpen(t *proclet.Thread) bool {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	return c.open
}

// Turns returns how often threads that sleep and run have done so.
func (c *crowd) Turns(t *proclet.Thread, _ struct{}) (int64, error) {
	return atomic.LoadInt64(&c.turns), nil
}

// Block waits until somebody opens.
func (c *crowd) Block(t *proclet.Thread, text string) (string, error) {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	for !c.open {
		c.cond.Wait(t, &c.mu)
	}
	return text, nil
}

// Sleep sleeps.
func (c *crowd) Sleep(t *proclet.Thread, text string) (string, error) {
	for !c.isOpen(t) {
		t.Sleep(time.Millisecond)
		atomic.AddInt64(&c.turns, 1)
	}
	return text, nil
}

// Run runs.
func (c *crowd) Run(t *proclet.Thread, text string) (string, error) {
	for sum := 0; ; sum++ {
		if sum%1000 == 0 {
			atomic.AddInt64(&c.turns, 1)
			if c.isOpen(t) {
				return text, nil
			}
		}
		t.Checkpoint()
	}
}

// Ask waits for a call of another crowd, which blocks.
func (c *crowd) Ask(t *proclet.Thread, text string) (string, error) {
	return proclet.Call(t, c.far, (*crowd).Block, text)
}

// TestRefusalAtDestination lets the destination refuse a proclet with threads inside that
// are blocked, sleep, run, and wait for calls here and elsewhere. They all go on where
// they were, again and again, and in the end they move.
func TestRefusalAtDestination(t *testing.T) {
	all := rackInProcess(t, 3)
	source, destination := all[0], all[1]
	th := source.runtime.Current()
	var refs []proclet.Ref[crowd]
	for _, on := range []*machineInProcess{source, source, all[2]} {
		ref, err := proclet.New[crowd](th, proclet.Options{On: on.rack.Self().ID, Capacity: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	moves, near, far := refs[0], refs[1], refs[2]

	inside := map[string]*proclet.Future[string]{}
	begin := func(caller *machineInProcess, what string, method func(*crowd, *proclet.Thread, string) (string, error)) {
		name := fmt.Sprintf("%s, called from machine %d", what, caller.rack.Self().ID)
		inside[name] = proclet.Go(caller.runtime.Current(), moves, method, name)
	}
	for _, caller := range all {
		begin(caller, "blocked", (*crowd).Block)
		begin(caller, "sleeps", (*crowd).Sleep)
		begin(caller, "runs", (*crowd).Run)
	}
	for _, other := range []proclet.Ref[crowd]{near, far} {
		if _, err := proclet.Call(th, moves, (*crowd).Meet, other); err != nil {
			t.Fatal(err)
		}
		for _, caller := range all {
			begin(caller, fmt.Sprint("waits for ", other.ID()), (*crowd).Ask)
		}
		waitFor(t, "the calls to be there", func() bool { return callsOf(all, other.ID()) == len(all) })
	}

	alive := func() {
		t.Helper()
		before, err := proclet.Call(th, moves, (*crowd).Turns, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, "threads to go on", func() bool {
			n, err := proclet.Call(th, moves, (*crowd).Turns, struct{}{})
			return err != nil || n > before+20
		})
		for name, f := range inside {
			select {
			case <-f.Done():
				got, err := f.Wait(th)
				t.Errorf("%s: ended with %q, %v", name, got, err)
			default:
			}
		}
	}
	alive()
	for i := range 15 {
		stage := []string{"memory", "bytes", "arrivals"}[i%3]
		destination.memory.refusing.Store(&stage)
		if stage == "arrivals" {
			crowded(destination.migrator)
		}
		_, err := source.migrator.Move(context.Background(), moves.ID(), destination.rack.Self().ID)
		if !errors.Is(err, ErrRefused) {
			t.Fatalf("Move to a machine that has no room (%s): %v", stage, err)
		}
		if stage == "arrivals" {
			destination.migrator.Died(nobody)
		}
		if info, err := source.runtime.Info(moves.ID()); err != nil || info.Leaving || info.Moves != 0 {
			t.Fatalf("%+v, %v", info, err)
		}
		alive()
	}
	destination.memory.refusing.Store(nil)
	for i := range 4 {
		from, to := all[i%3], all[(i+1)%3]
		if _, err := from.migrator.Move(context.Background(), moves.ID(), to.rack.Self().ID); err != nil {
			t.Fatal(err)
		}
		alive()
	}
	for _, ref := range refs {
		if _, err := proclet.Call(th, ref, (*crowd).Open, struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range inside {
		if got, err := f.Wait(th); err != nil || got != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, ref := range refs {
		if err := proclet.Destroy(th, ref); err != nil {
			t.Error(err)
		}
	}
}

// nobody is a machine that is not there.
const nobody = rack.MachineID(1 << 30)

// crowded makes a migrator believe that it is receiving as much as it can.
func crowded(m *Migrator) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for number := range uint64(maxArrivals) {
		over := make(chan struct{})
		close(over)
		m.record(nobody, number+1, &arrival{cancel: func() {}, over: over})
	}
}

// callsOf returns how many calls a proclet has had.
func callsOf(all []*machineInProcess, id proclet.ID) int {
	for _, m := range all {
		if info, err := m.runtime.Info(id); err == nil {
			return int(info.Calls)
		}
	}
	return 0
}
