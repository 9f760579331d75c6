package qemu

import (
	"errors"

	"golang.org/x/sys/unix"
)

// onProcessor calls start with the calling thread on the n-th processor that it may run
// on, counted round, and then lets it run where it might before. A child inherits what
// the thread that starts it may use. If n is negative it just calls start.
// Precondition: the goroutine is locked to its thread.
func onProcessor(n int, start func() error) error {
	if n < 0 {
		return start()
	}
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	one := nth(&all, n%all.Count())
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	err := start()
	return errors.Join(err, unix.SchedSetaffinity(0, &all))
}

// nth is the set with the n-th member of all, which has so many.
func nth(all *unix.CPUSet, n int) (one unix.CPUSet) {
	for cpu := 0; ; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if n == 0 {
			one.Set(cpu)
			return one
		}
		n--
	}
}
