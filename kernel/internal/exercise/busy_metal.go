//go:build metal

package main

import (
	"fmt"
	"math"
	"runtime"
	"time"
)

func init() { exercises["busy"] = busy }

// busy computes the same thing on all processors for a second, and wants the same result
// every time, whatever interrupts it: with integers, with floating-point numbers, and with
// memory that is moved by vector instructions.
func busy([]string) error {
	want := compute()
	results := make(chan error)
	for range runtime.NumCPU() {
		go func() {
			for begin := time.Now(); time.Since(begin) < time.Second; {
				if got := compute(); got != want {
					results <- fmt.Errorf("computed %v, want %v", got, want)
					return
				}
			}
			results <- nil
		}()
	}
	for range runtime.NumCPU() {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

func compute() (sum [2]float64) {
	from, to := make([]byte, 1000), make([]byte, 1000)
	for i := range from {
		from[i] = byte(i * 7)
	}
	for i := range 1000 {
		sum[0] += math.Sin(float64(i)) * math.Sqrt(float64(i))
		copy(to, from[:i])
		sum[1] += float64(to[i/2])
	}
	return sum
}
