package main

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nuos/boot"
	"nuos/proclet"
	"nuos/rack"
)

// Calls are measured as programs make them, by a method of a proclet that calls
// another proclet, here and on the other machine.

const (
	warmUp     = 2_000
	roundTrips = 20_000
	// localBatch calls of a proclet of the same machine are timed together: one takes
	// little longer than looking at the clock.
	localBatch = 100
	// loadTime is how long the throughput of so many callers is counted.
	loadTime = 500 * time.Millisecond
)

var (
	callSizes   = []int{8, 64, 1 << 10, 8 << 10, 64 << 10}
	callerCount = []int{1, 8, 64}
)

var callsParam = boot.NewParam("calls", "", "measure: regular expression that the names of calls match which are measured, such as RemoteCall/bytes=8$; empty: all")

// Callee is what is called.
type Callee struct{ sum uint64 }

// Add is the least that a call can do: it takes 8 bytes and returns as many.
func (c *Callee) Add(t *proclet.Thread, n uint64) (uint64, error) {
	c.sum += n
	return c.sum, nil
}

// Take takes any number of bytes and says how many there are.
func (c *Callee) Take(t *proclet.Thread, b []byte) (int, error) { return len(b), nil }

// Allocations says how many objects the callee's machine has allocated so far.
func (c *Callee) Allocations(t *proclet.Thread, _ struct{}) (uint64, error) {
	return allocations(), nil
}

func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// Caller is what calls. It has no state: what it measures belongs to the machine.
type Caller struct{ _ byte }

// errand is what a Caller is to do.
type errand struct {
	Callee proclet.Ref[Callee]
	Size   int // of the argument, in bytes
	Batch  int // how many calls are timed together
	Times  int // how many times are taken
}

// measured is what the method that runs has measured. One runs at a time.
var measured []time.Duration

// Measure times calls, one after the other.
func (c *Caller) Measure(t *proclet.Thread, e errand) (int, error) {
	calls, err := c.argument(e)
	if err != nil {
		return 0, err
	}
	for range warmUp {
		if err := calls(t); err != nil {
			return 0, err
		}
	}
	measured = measured[:0]
	for range e.Times {
		start := time.Now()
		for range e.Batch {
			if err := calls(t); err != nil {
				return 0, err
			}
		}
		measured = append(measured, time.Since(start)/time.Duration(e.Batch))
	}
	return len(measured), nil
}

// argument makes one call of the errand's size.
func (c *Caller) argument(e errand) (func(t *proclet.Thread) error, error) {
	if e.Size < 8 {
		return nil, fmt.Errorf("an argument of %d bytes", e.Size)
	}
	if e.Size == 8 {
		return func(t *proclet.Thread) error {
			_, err := proclet.Call(t, e.Callee, (*Callee).Add, 1)
			return err
		}, nil
	}
	arg := make([]byte, e.Size)
	return func(t *proclet.Thread) error {
		n, err := proclet.Call(t, e.Callee, (*Callee).Take, arg)
		if err == nil && n != e.Size {
			err = fmt.Errorf("%d bytes of %d arrived", n, e.Size)
		}
		return err
	}, nil
}

// over ends all Loads.
var over atomic.Bool

// Load makes calls until it is told to stop, and returns how many they were.
func (c *Caller) Load(t *proclet.Thread, callee proclet.Ref[Callee]) (n int, err error) {
	for !over.Load() && err == nil {
		_, err = proclet.Call(t, callee, (*Callee).Add, 1)
		n++
	}
	return n, err
}

// calls measures calls of a proclet here and of one on the other machine.
func calls(self, other rack.MachineID) error {
	wanted, err := regexp.Compile(callsParam.Value())
	if err != nil {
		return fmt.Errorf("boot parameter calls=: %w", err)
	}
	t := proclet.Current()
	caller, err := proclet.New[Caller](t, proclet.Options{On: self, Pinned: true})
	if err != nil {
		return err
	}
	for _, place := range []struct {
		name  string
		on    rack.MachineID
		batch int
	}{{"LocalCall", self, localBatch}, {"RemoteCall", other, 1}} {
		callee, err := proclet.New[Callee](t, proclet.Options{On: place.on, Pinned: true})
		if err != nil {
			return err
		}
		for _, size := range callSizes {
			name := fmt.Sprintf("%s/bytes=%d", place.name, size)
			if !wanted.MatchString(name) {
				continue
			}
			e := errand{callee, size, place.batch, roundTrips}
			if size > 8<<10 || place.batch > 1 {
				e.Times /= 4
			}
			if err := measureCall(t, name, caller, e); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		for _, n := range callerCount {
			name := fmt.Sprintf("%ss/callers=%d", place.name, n)
			if !wanted.MatchString(name) {
				continue
			}
			perSecond, err := throughput(t, self, callee, n)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			row(name, 1, figure{perSecond, "calls/s"})
		}
	}
	return nil
}

// measureCall prints what calls take, and what both machines allocate for one.
func measureCall(t *proclet.Thread, name string, caller proclet.Ref[Caller], e errand) error {
	there, err := proclet.Call(t, e.Callee, (*Callee).Allocations, struct{}{})
	if err != nil {
		return err
	}
	here := allocations()
	if _, err := proclet.Call(t, caller, (*Caller).Measure, e); err != nil {
		return err
	}
	here = allocations() - here
	until, err := proclet.Call(t, e.Callee, (*Callee).Allocations, struct{}{})
	if err != nil {
		return err
	}
	n := len(measured) * e.Batch
	perCall := float64(here+until-there) / float64(n+warmUp)
	row(name, n, append(quantiles(measured), figure{perCall, "allocs/op"})...)
	return nil
}

// throughput has n proclets of this machine call one, all at the same time, and
// returns how many calls there were in a second.
func throughput(t *proclet.Thread, self rack.MachineID, callee proclet.Ref[Callee], n int) (float64, error) {
	var (
		wait    sync.WaitGroup
		total   atomic.Int64
		mu      sync.Mutex
		failed  error
		callers = make([]proclet.Ref[Caller], n)
	)
	over.Store(false)
	for i := range callers {
		ref, err := proclet.New[Caller](t, proclet.Options{On: self, Pinned: true, Capacity: 64 << 10})
		if err != nil {
			return 0, err
		}
		defer proclet.Destroy(t, ref)
		callers[i] = ref
	}
	start := time.Now()
	for _, ref := range callers {
		wait.Go(func() {
			made, err := proclet.Call(proclet.Current(), ref, (*Caller).Load, callee)
			total.Add(int64(made))
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	time.Sleep(loadTime)
	over.Store(true)
	wait.Wait()
	return float64(total.Load()) / time.Since(start).Seconds(), failed
}
