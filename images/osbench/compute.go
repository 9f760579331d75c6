package main

import (
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// node is garbage with pointers in it.
type node struct {
	left, right *node
}

func tree(depth int) *node {
	if depth == 0 {
		return new(node)
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

// gcPause takes for how long garbage collections stop the world while a goroutine
// allocates and others are in loops in which nothing but a signal stops them.
func gcPause() []figure {
	before := pauses()
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range max(1, runtime.NumCPU()-1) {
		wg.Go(func() {
			for n := 0; !stop.Load(); {
				for range 1 << 20 {
					n++
				}
			}
		})
	}
	kept := tree(14)
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		tree(10)
		runtime.Gosched()
	}
	runtime.KeepAlive(kept)
	stop.Store(true)
	wg.Wait()
	h := pauses()
	for i := range h.Counts {
		h.Counts[i] -= before.Counts[i]
	}
	return []figure{{bound(h, 0.5) * 1e9, "p50-ns"}, {bound(h, 0.99) * 1e9, "p99-ns"}}
}

// pauses is the runtime's histogram of them, in seconds.
func pauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	h := *s[0].Value.Float64Histogram()
	h.Counts = slices.Clone(h.Counts)
	return &h
}

// bound is the upper bound of the bucket in which the quantile q lies.
func bound(h *metrics.Float64Histogram, q float64) float64 {
	total := uint64(0)
	for _, n := range h.Counts {
		total += n
	}
	seen := uint64(0)
	for i, n := range h.Counts {
		if seen += n; float64(seen) > q*float64(total) {
			return h.Buckets[i+1]
		}
	}
	return 0
}

var sink atomic.Uint64

func compute() {
	x := uint64(88172645463325252)
	for range 20_000_000 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	sink.Add(x)
}

// speedup is how much faster two goroutines compute than one does, at best 2.
func speedup() []figure {
	var ratios []float64
	for range 3 {
		start := time.Now()
		compute()
		one := time.Since(start)
		start = time.Now()
		var wg sync.WaitGroup
		wg.Go(compute)
		wg.Go(compute)
		wg.Wait()
		ratios = append(ratios, 2*float64(one)/float64(time.Since(start)))
	}
	slices.Sort(ratios)
	return []figure{{ratios[1], "times"}}
}
