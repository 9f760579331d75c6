//go:build !race

package migrate

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"nuos/proclet"
)

// sheet is state that threads inside write all the time, anywhere.
type sheet struct {
	cells  proclet.Slice[cell]
	writes atomic.Int64
	over   atomic.Bool
	ended  proclet.WaitGroup
}

// cell is a part of a sheet, whose words are the same.
type cell [64]uint64

// Fill makes the sheet so many cells large, and has threads write it.
func (s *sheet) Fill(t *proclet.Thread, cells int) (int, error) {
	for i := range cells {
		var c cell
		for j := range c {
			c[j] = uint64(i)
		}
		if err := s.cells.Append(t, c); err != nil {
			return 0, err
		}
	}
	for seed := range 3 {
		s.ended.Add(t, 1)
		if _, err := proclet.Start(t, (*sheet).write, seed); err != nil {
			return 0, err
		}
	}
	return s.cells.Len(), nil
}

func (s *sheet) write(t *proclet.Thread, seed int) {
	for x := uint64(seed + 1); !s.over.Load(); {
		for range 20 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			// Each thread has cells of its own.
			c := s.cells.At(int(x%uint64(s.cells.Len()/3))*3 + seed)
			for j := range c {
				c[j] = x
			}
		}
		s.writes.Add(20)
		t.Sleep(100 * time.Microsecond)
	}
	s.ended.Done(t)
}

// Stop ends the writing, and returns how many cells are not one thing.
func (s *sheet) Stop(t *proclet.Thread, _ struct{}) (int, error) {
	s.over.Store(true)
	s.ended.Wait(t)
	return s.Torn(t, struct{}{})
}

// Torn is for cells that nobody writes.
func (s *sheet) Torn(t *proclet.Thread, _ struct{}) (torn int, err error) {
	for i := range s.cells.Len() {
		c := s.cells.At(i)
		for j := range c {
			if c[j] != c[0] {
				torn++
				break
			}
		}
	}
	return torn, nil
}

func (s *sheet) Writes(t *proclet.Thread, _ struct{}) (int64, error) { return s.writes.Load(), nil }

// TestPrecopy moves a proclet round that is written all the time, by threads inside. Each
// time it arrives as it was (see oneMemory), and most of it has been sent while it ran.
func TestPrecopy(t *testing.T) {
	all := rackInProcess(t, 3)
	th := all[0].runtime.Current()
	ref, err := proclet.New[sheet](th, proclet.Options{On: all[0].rack.Self().ID, Capacity: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proclet.Call(th, ref, (*sheet).Fill, 8<<20/512); err != nil {
		t.Fatal(err)
	}
	before := int64(0)
	for i := range 9 {
		from, to := all[i%3], all[(i+1)%3]
		waitFor(t, "cells to be written", func() bool {
			n, err := proclet.Call(th, ref, (*sheet).Writes, struct{}{})
			if err != nil {
				t.Fatal(err)
			}
			return n > before+100
		})
		r, err := from.migrator.Move(context.Background(), ref.ID(), to.rack.Self().ID)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("move %d: %+v", i, r)
		if r.Rounds == 0 || r.Bytes < 8<<20 || r.Again == 0 || r.Again > r.Bytes-8<<20 {
			t.Errorf("move %d: %+v", i, r)
		}
		before, err = proclet.Call(th, ref, (*sheet).Writes, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range all {
		if s := m.migrator.Stats(); s.Precopied != 3 || s.Rounds < 3 || s.Again == 0 || s.Unwatched != "" {
			t.Errorf("%+v", s)
		}
	}
	torn, err := proclet.Call(th, ref, (*sheet).Stop, struct{}{})
	if err != nil || torn != 0 {
		t.Errorf("%d cells are torn, %v", torn, err)
	}
	if err := proclet.Destroy(th, ref); err != nil {
		t.Error(err)
	}
}

// TestPrecopyEnds has proclets end, be refused and be moved twice while they are copied.
func TestPrecopyEnds(t *testing.T) {
	all := rackInProcess(t, 2)
	source, destination := all[0], all[1]
	th := source.runtime.Current()
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 20 {
		ref, err := proclet.New[sheet](th, proclet.Options{On: source.rack.Self().ID, Capacity: 16 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proclet.Call(th, ref, (*sheet).Fill, 2<<20/512); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		moved := make(chan error, 2)
		for range 1 + i%2 {
			go func() {
				_, err := source.migrator.Move(ctx, ref.ID(), destination.rack.Self().ID)
				moved <- err
			}()
		}
		for range rng.IntN(3000) {
			source.runtime.Weigh(ref.ID())
		}
		if i%3 == 0 {
			cancel()
		} else {
			go proclet.Call(th, ref, (*sheet).Stop, struct{}{})
			if err := proclet.Destroy(th, ref); err != nil {
				t.Fatal(err)
			}
		}
		good := 0
		for range 1 + i%2 {
			if err := <-moved; err == nil {
				good++
			} else {
				t.Logf("proclet %d: %v", i, err)
			}
		}
		cancel()
		if good > 1 {
			t.Errorf("a proclet has moved twice to the same machine")
		}
		if i%3 == 0 {
			if torn, err := proclet.Call(th, ref, (*sheet).Stop, struct{}{}); err != nil || torn != 0 {
				t.Errorf("%d cells are torn, %v", torn, err)
			}
			if err := proclet.Destroy(th, ref); err != nil {
				t.Error(err)
			}
		}
		for _, m := range all {
			waitFor(t, "arrivals to be over", func() bool {
				m.memory.mu.Lock()
				defer m.memory.mu.Unlock()
				return len(m.memory.arrives) == 0
			})
		}
	}
}
