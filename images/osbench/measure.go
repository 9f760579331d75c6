package main

import (
	"slices"
	"time"
)

const (
	batches   = 7
	batchTime = 10 * time.Millisecond // at least, and a few times that at most
)

// perOperation returns what one of the operations costs of which run makes n in
// the time that it returns: the least of several batches, since what else the
// computer does only adds.
func perOperation(run func(n int) time.Duration) []figure {
	n, took := 1, run(1)
	for took < batchTime {
		n *= int(min(max(batchTime/(took+1), 2), 16))
		took = run(n)
	}
	for range batches - 1 {
		took = min(took, run(n))
	}
	return []figure{{float64(took.Nanoseconds()) / float64(n), "ns/op"}}
}

// repeat makes a run of an operation.
func repeat(operation func()) func(n int) time.Duration {
	return func(n int) time.Duration {
		start := time.Now()
		for range n {
			operation()
		}
		return time.Since(start)
	}
}

// quantiles are the median and the 99th percentile of some times.
func quantiles(times []time.Duration) []figure {
	slices.Sort(times)
	return []figure{
		{float64(times[len(times)/2].Nanoseconds()), "p50-ns"},
		{float64(times[len(times)*99/100].Nanoseconds()), "p99-ns"},
	}
}
