package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clocksource wants time to go by what args[0] says, never back, whichever processor is
// asked, and to be right after a sleep of args[1], if it is there.
func clocksource(args []string) error {
	const file = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(source)); got != args[0] {
		return fmt.Errorf("time goes by %s, want %s", got, args[0])
	}
	if err := monotonic(); err != nil {
		return err
	}
	if len(args) < 2 {
		return nil
	}
	long, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	return compareClock(long)
}

// monotonic has all processors look at the clock, and tell each other what they saw.
func monotonic() error {
	begin := time.Now()
	var latest atomic.Int64
	var failure atomic.Value
	var wg sync.WaitGroup
	seed := uint64(begin.UnixNano())
	for i := range 2 * runtime.NumCPU() {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for range 20000 {
				before := latest.Load()
				now := int64(time.Since(begin))
				if now < before {
					failure.CompareAndSwap(nil, fmt.Errorf("seed %#x: it is %d ns, and was %d before", seed, now, before))
					return
				}
				for old := before; old < now && !latest.CompareAndSwap(old, now); old = latest.Load() {
				}
				if random.IntN(64) == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	if err := failure.Load(); err != nil {
		return err.(error)
	}
	return nil
}

// compareClock sleeps, and wants time to have gone on as the processor's counter has.
var compareClock = func(long time.Duration) error {
	time.Sleep(long)
	return nil
}
