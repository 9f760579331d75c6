package main

import (
	"fmt"
	"slices"
	"time"
)

// quantiles says how long most of something took.
func quantiles(times []time.Duration) string {
	slices.Sort(times)
	n := len(times)
	return fmt.Sprintf("p50 %v, p99 %v", times[n/2], times[n*99/100])
}
