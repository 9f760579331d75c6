package proclet

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync/atomic"
	"testing"
	"time"
)

// TestCollector runs tests of threads that move in a process whose collector runs all
// the time and overwrites what it frees.
func TestCollector(t *testing.T) {
	needMoves(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.v", "-test.short", "-test.run",
		"^TestMoveRaces|WhileMoving$|Moves?$")
	c.Env = append(os.Environ(), "GOGC=1", "GODEBUG=clobberfree=1")
	out, err := c.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("--- PASS")) < 20 {
		t.Fatalf("%v; it printed:\n%s", err, out)
	}
}

// TestProfilesWhileMoving has profilers, the tracer, tracebacks and the collector look
// at the stacks of threads that run, wait and move.
func TestProfilesWhileMoving(t *testing.T) {
	needMoves(t)
	var allocations, goroutines bytes.Buffer
	if err := pprof.StartCPUProfile(io.Discard); err == nil { // or go test does it
		defer pprof.StopCPUProfile()
	}
	if err := trace.Start(io.Discard); err == nil {
		defer trace.Stop()
	}
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	var seen atomic.Bool // a traceback of all goroutines has shown a method of a thread
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		stacks := make([]byte, 1<<20)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n := runtime.Stack(stacks, true)
			if bytes.Contains(stacks[:n], []byte("proclet.(*playground).")) {
				seen.Store(true)
			}
			goroutines.Reset()
			pprof.Lookup("goroutine").WriteTo(&goroutines, 0)
			allocations.Reset()
			pprof.Lookup("allocs").WriteTo(&allocations, 0)
			runtime.GC()
		}
	}()
	for rounds := 0; rounds < 20 || !seen.Load(); rounds++ {
		t.Run("", func(t *testing.T) { whileMoving(t, 4, (*playground).Spread, (*playground).Exclude) })
	}
	close(stop)
	<-stopped
	if goroutines.Len() == 0 || allocations.Len() == 0 {
		t.Errorf("%d and %d bytes of profiles", goroutines.Len(), allocations.Len())
	}
}
