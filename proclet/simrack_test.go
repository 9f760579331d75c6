package proclet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestSimulatedRack runs calls and moves on simulated racks: which message arrives
// next, which goroutine goes on first, and what goes wrong, follows from a seed.
// NUOS_SEED=n runs one world and prints its trace; NUOS_WORLDS=n runs so many.
//
// The worlds run in processes of their own, each in a bubble of testing/synctest that
// is all that the process does, on one processor: so time is virtual, the driver knows
// when everybody is blocked, and a world goes the same way again, as far as the
// runtime of Go does.
func TestSimulatedRack(t *testing.T) {
	if from := os.Getenv("PROCLET_SIMULATE"); from != "" {
		synctest.Test(t, func(t *testing.T) { simulateRacks(from) })
		return
	}
	first, worlds := uint64(0), uint64(300)
	if testing.Short() {
		worlds = 60
	}
	for name, n := range map[string]*uint64{"NUOS_WORLDS": &worlds, "NUOS_SEED": &first} {
		if s := os.Getenv(name); s != "" {
			v, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*n = v
		}
	}
	if os.Getenv("NUOS_SEED") != "" {
		worlds = 1
	}
	const most = 500 // in a process, which collects nothing
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !t.Failed() {
				n := min(most, (worlds+1)/2)
				a := next.Add(n) - n
				if a >= worlds {
					return
				}
				simulateInProcess(t, first+a, first+min(a+n, worlds))
			}
		})
	}
	wg.Wait()
}

// simulateInProcess runs the worlds from a to b.
func simulateInProcess(t *testing.T, a, b uint64) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSimulatedRack$")
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGQUIT) } // it says where it hangs
	c.Env = append(os.Environ(), fmt.Sprintf("PROCLET_SIMULATE=%d-%d", a, b), "GOMAXPROCS=1", "GOGC=off",
		"GODEBUG="+strings.TrimPrefix(os.Getenv("GODEBUG")+",asyncpreemptoff=1", ","))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("worlds from %d to %d: %v\n%s", a, b, err, out)
		return
	}
	t.Logf("worlds from %d to %d: %s", a, b, bytes.TrimSpace(out))
}

// boundMemory ends the process, saying what everybody does, when a world takes more
// memory than all of them ever need: nothing is collected, so one that goes round and
// round would take all that the machine has.
func boundMemory() {
	const most = 3 << 30
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for {
		time.Sleep(100 * time.Millisecond)
		if metrics.Read(sample); sample[0].Value.Uint64() > most {
			debug.SetTraceback("all")
			panic(fmt.Sprintf("world %d has no end: %d bytes", simulatedWorld.seed, sample[0].Value.Uint64()))
		}
	}
}

// simulateRacks ends the process: what runs in the bubble would outlive it.
func simulateRacks(which string) {
	var a, b uint64
	if _, err := fmt.Sscanf(which, "%d-%d", &a, &b); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	go boundMemory()
	moves, tasks, steps := 0, 0, 0
	interleaved = func(at string) { simulatedWorld.stop(at) }
	for seed := a; seed < b; seed++ {
		w := newSimWorld(seed)
		simulatedWorld = w
		if wrong := w.run(); len(wrong) > 0 {
			fmt.Printf("%s\nNUOS_SEED=%d: %s\n", w.story(), seed, strings.Join(wrong, "\n"))
			os.Exit(1)
		}
		if b == a+1 {
			fmt.Println(w.story())
		}
		moves, tasks, steps = moves+w.moves, tasks+len(w.tasks), steps+len(w.trace)
	}
	fmt.Printf("%d moves, %d tasks, %d events\n", moves, tasks, steps)
	os.Exit(0)
}
