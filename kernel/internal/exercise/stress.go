package main

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// stress works the allocator, the collector, channels and timers at the same
// time, for args[0] rounds.
func stress(args []string) error {
	rounds := 20
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		rounds = n
	}
	var trees, messages, wakes atomic.Int64
	var failure atomic.Value
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(step func() error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := step(); err != nil {
					failure.Store(err)
					return
				}
			}
		}()
	}
	for range 3 {
		loop(func() error {
			t := newTree(11)
			if n := t.count(); n != 1<<12-1 {
				return fmt.Errorf("a tree has %d nodes, want %d", n, 1<<12-1)
			}
			trees.Add(1)
			return nil
		})
	}
	for range 4 {
		c := make(chan int64)
		loop(func() error {
			select {
			case c <- messages.Load():
			case <-stop:
			}
			return nil
		})
		loop(func() error {
			select {
			case <-c:
				messages.Add(1)
			case <-stop:
			}
			return nil
		})
	}
	for i := range 8 {
		loop(func() error {
			time.Sleep(time.Duration(i+1) * time.Millisecond)
			wakes.Add(1)
			return nil
		})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	// Not before everybody has had a turn.
	for failure.Load() == nil && (trees.Load() == 0 || messages.Load() == 0 || wakes.Load() == 0) {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wg.Wait()
	if err := failure.Load(); err != nil {
		return err.(error)
	}
	runtime.ReadMemStats(&after)
	gcs := after.NumGC - before.NumGC
	if int(gcs) < rounds {
		return fmt.Errorf("%d collections, want at least %d", gcs, rounds)
	}
	fmt.Printf("stress: %d collections, %d trees, %d messages, %d wakes, pauses %v on average\n", gcs,
		trees.Load(), messages.Load(), wakes.Load(), time.Duration((after.PauseTotalNs-before.PauseTotalNs)/uint64(gcs)))
	return nil
}

type tree struct {
	left, right *tree
	check       [2]uint64
}

func newTree(depth int) *tree {
	t := &tree{check: [2]uint64{uint64(depth), ^uint64(depth)}}
	if depth > 0 {
		t.left, t.right = newTree(depth-1), newTree(depth-1)
	}
	return t
}

// count returns the number of intact nodes.
func (t *tree) count() int {
	if t == nil || t.check[0] != ^t.check[1] {
		return 0
	}
	return 1 + t.left.count() + t.right.count()
}

// preempt runs loops without a call on every processor and more, which only a
// signal can stop, and collects meanwhile.
func preempt([]string) error {
	var stop atomic.Bool
	var wg sync.WaitGroup
	var turns atomic.Int64
	for range 2*runtime.NumCPU() + 1 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				turns.Add(1)
				spin(4e6)
			}
		}()
	}
	for range 10 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	if turns.Load() < int64(2*runtime.NumCPU()+1) {
		return fmt.Errorf("%d turns", turns.Load())
	}
	return nil
}

var sink float64

// spin is n turns of a loop in which no function is called; floating point
// registers are live all the time.
//
//go:noinline
func spin(n int) {
	x, y := 1.0, 0.5
	for i := 0; i < n; i++ {
		x = x*1.0000001 + y
		y = y*0.9999999 - 0.25
	}
	sink = x + y
}
