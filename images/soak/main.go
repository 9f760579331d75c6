// Soak works a machine and the Go runtime on it as hard as it can, for -for, and then
// looks whether anything was lost:
//
//   - trees that the allocator makes and the collector frees, each node checked
//   - loops without a call, which only a signal can stop, on all processors but one
//   - timers, tickers and sleeps, none of which may fire early
//   - threads of the operating system that begin and end
//   - streams and datagrams through the sockets of the machine, each byte checked, and
//     on port 7 whatever comes from outside
//   - memory that is mapped, written and given back
//
// It ends with exit code 0 if nothing failed, everybody had turns to the end, and the
// machine has as many free frames as it had after the first seconds (frames.go).
//
// It is most of use with GOGC=5 and GODEBUG=gccheckmark=1,clobberfree=1, by which the
// collector works all the time, marks twice and overwrites what it frees. But gccheckmark
// switches off Go's preemption by signals, so the loops are stopped only without it: the
// collector then waits for the end of their turns.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

var duration = flag.Duration("for", 30*time.Second, "how long to work")

// work is one kind of work. Its turn checks itself and ends within a second or so.
type work struct {
	name    string
	workers int
	turn    func(worker int) error
	turns   atomic.Int64
}

// stop is closed when all are to finish; failure has the first thing that went wrong.
var (
	stop    chan struct{}
	failure atomic.Pointer[error]
)

func fail(err error) { failure.CompareAndSwap(nil, &err) }

func main() {
	flag.Parse()
	addr, err := serve(":7")
	if err != nil {
		fmt.Println("soak:", err)
		os.Exit(1)
	}
	all := []*work{
		{name: "trees", workers: 2, turn: tree},
		{name: "loops", workers: max(1, runtime.NumCPU()-1), turn: loop},
		{name: "timers", workers: 8, turn: timers},
		{name: "threads", workers: 1, turn: thread},
		{name: "streams", workers: 2, turn: func(w int) error { return stream(addr, w) }},
		{name: "datagrams", workers: 2, turn: func(w int) error { return datagrams(addr, w) }},
		{name: "mappings", workers: 1, turn: mapping},
	}
	// What is made once is made in the first seconds.
	run(all, min(*duration/4, 20*time.Second))
	before := settled()
	fmt.Printf("soak: at work for %v, %d processors, %s\n", *duration, runtime.NumCPU(), before)
	run(all, *duration)
	after := settled()
	for _, w := range all {
		fmt.Printf("soak: %s: %d turns\n", w.name, w.turns.Load())
	}
	fmt.Printf("soak: %d collections; %s\n", collections(), after)
	if lost := after.lost(before); lost != nil {
		fail(lost)
	}
	if err := failure.Load(); err != nil {
		fmt.Println("soak: FAILED:", *err)
		os.Exit(1)
	}
	fmt.Println("soak: passed")
}

// run has everybody work for d. Whoever has had no turn by then is waited for: a
// machine that starves one of them never comes to the end.
func run(all []*work, d time.Duration) {
	stop = make(chan struct{})
	var working sync.WaitGroup
	for _, w := range all {
		w.turns.Store(0)
		for i := range w.workers {
			working.Go(func() {
				for failure.Load() == nil {
					select {
					case <-stop:
						return
					default:
					}
					if err := w.turn(i); err != nil {
						fail(fmt.Errorf("%s: %w", w.name, err))
					}
					w.turns.Add(1)
				}
			})
		}
	}
	for began := time.Now(); failure.Load() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > d && idlest(all).turns.Load() > 0 {
			break
		}
		report(all, began)
	}
	close(stop)
	working.Wait()
}

// idlest is who had fewest turns.
func idlest(all []*work) *work {
	least := all[0]
	for _, w := range all {
		if w.turns.Load() < least.turns.Load() {
			least = w
		}
	}
	return least
}

var reported time.Duration

// report prints once a minute how far everybody is.
func report(all []*work, began time.Time) {
	at := time.Since(began).Truncate(time.Minute)
	if at == reported {
		return
	}
	reported = at
	fmt.Printf("soak: %v:", at)
	for _, w := range all {
		fmt.Printf(" %s %d", w.name, w.turns.Load())
	}
	fmt.Println()
}
