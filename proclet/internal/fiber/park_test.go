package fiber_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/proclet/internal/fiber"
)

// TestMany has 10,000 fibers asleep at a time.
func TestMany(t *testing.T) {
	const n = 10_000
	fs := hooked(t)
	all := make([]*fiber.Fiber, n)
	for i := range all {
		all[i] = start(i, func(f *fiber.Fiber) {
			for !f.Kicked() {
				f.Park()
			}
		})
	}
	runtime.GC()
	rand.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	go func() {
		for _, f := range all {
			f.Kick()
		}
	}()
	for range n {
		(<-fs.ended).Free()
	}
}

var tickets, wanted atomic.Int64

// TestUnpark lets several goroutines wake a fiber, each once for each ticket that they
// have put down. A lost wake would leave it asleep for ever.
func TestUnpark(t *testing.T) {
	fs := hooked(t)
	const each, goroutines = 5000, 4
	tickets.Store(0)
	wanted.Store(each * goroutines)
	f := start(1, func(f *fiber.Fiber) {
		for seen := int64(0); seen < wanted.Load(); {
			f.Park()
			f.ClearKick()
			seen += tickets.Swap(0)
		}
	})
	var wakers sync.WaitGroup
	for i := range goroutines {
		wakers.Go(func() {
			for range each {
				tickets.Add(1)
				if i%2 == 0 {
					f.Unpark()
				} else {
					f.Kick()
				}
			}
		})
	}
	wakers.Wait()
	(<-fs.ended).Free()
}

// TestPermit verifies that a fiber takes a permit along.
func TestPermit(t *testing.T) {
	needMovable(t)
	fs := hooked(t)
	start(1, func(f *fiber.Fiber) {
		if err := f.Leave(); err != nil {
			panic(err)
		}
		for f.Kicked() { // an image is not kicked
			runtime.Gosched()
		}
		f.Park()
		headerOf(f).n = 7
	})
	f := <-fs.detached
	f.Unpark()
	f.Kick()
	image := f.Image()
	f.Depart()
	f, err := fiber.Thaw(image)
	if err != nil {
		t.Fatal(err)
	}
	f.Start()
	if f := <-fs.ended; headerOf(f).n != 7 {
		t.Errorf("header holds %d; want 7", headerOf(f).n)
	}
	f.Free()
}
