package main

import (
	"fmt"
	"slices"
	"time"
)

// figure is a value with its unit, which is one word.
type figure struct {
	value float64
	unit  string
}

// row prints one result: the name of a benchmark, how many operations it is made of,
// and what they took.
func row(name string, n int, figures ...figure) {
	fmt.Printf("Benchmark%s\t%d", name, n)
	for _, f := range figures {
		fmt.Printf("\t%.1f %s", f.value, f.unit)
	}
	fmt.Println()
}

// quantiles are the median and the tail of some times, which it sorts.
func quantiles(times []time.Duration) []figure {
	slices.Sort(times)
	at := func(share float64) float64 { return float64(times[int(float64(len(times))*share)]) }
	return []figure{{at(0.5), "p50-ns"}, {at(0.99), "p99-ns"}, {at(0.999), "p999-ns"}}
}
