package fiber_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"testing"

	"nuos/proclet/internal/fiber/internal/stress"
)

// TestStress moves threads that do all sorts of things while the collector runs,
// all stacks are printed, and profilers and the tracer walk over them.
func TestStress(t *testing.T) {
	c := stress.Config{Threads: 12, Rounds: 300, Seed: rand.Uint64()}
	t.Logf("seed %d", c.Seed)
	if err := pprof.StartCPUProfile(io.Discard); err == nil { // or go test does it
		defer pprof.StopCPUProfile()
	}
	if err := trace.Start(io.Discard); err == nil {
		defer trace.Stop()
	}
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		buf := make([]byte, 1<<20)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
				runtime.Stack(buf, true)
			}
		}
	}()
	err := stress.Run(c)
	close(stop)
	<-stopped
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d hops", stress.Hops())
}

func init() {
	children["stress"] = func() {
		c := stress.Config{Threads: 8, Rounds: 400, Seed: rand.Uint64()}
		fmt.Println("seed", c.Seed)
		if err := stress.Run(c); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(stress.Hops(), "hops")
	}
}

// TestCollector does so with a collector that runs all the time and overwrites what
// it frees, and with few and many processors.
func TestCollector(t *testing.T) {
	needMovable(t)
	for _, env := range [][]string{
		{"GOGC=1", "GODEBUG=clobberfree=1"},
		{"GOGC=5", "GODEBUG=gccheckmark=1,clobberfree=1"},
		{"GOGC=1", "GODEBUG=clobberfree=1", "GOMAXPROCS=1"},
		{"GOGC=1", "GODEBUG=asyncpreemptoff=1,clobberfree=1", "GOMAXPROCS=8"},
	} {
		t.Run(fmt.Sprint(env), func(t *testing.T) {
			status, out := child(t, "stress", env...)
			if status != 0 {
				t.Fatalf("exit status %d:\n%s", status, out)
			}
			t.Log(out)
		})
	}
}
