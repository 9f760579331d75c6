package main

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"nuos/internal/samples"
	"nuos/qemu"
)

// TestRatios guards the speed of calls and moves: in one run of two hosted machines, a call
// takes at most so many frames there and back, and a move so many copies of its bytes.
// The bounds are several times what is usual on a computer that does other things, too: what
// they find is a path that has become another one. Nothing is allocated by what is called most.
func TestRatios(t *testing.T) {
	bounds := []struct {
		name        string
		ours, floor samples.Figure
		most        float64
	}{
		{"a remote call", samples.Figure{Benchmark: "RemoteCall/bytes=8", Unit: "p50-ns"},
			samples.Figure{Benchmark: "LinkRoundTrip/bytes=60", Unit: "p50-ns"}, 60},
		{"a move of 1 MiB", samples.Figure{Benchmark: "Move/bytes=1048576/threads=0/idle", Unit: "ns/op"},
			samples.Figure{Benchmark: "Move/bytes=1048576/threads=0/idle", Unit: "memcpy-ns/op"}, 60},
		{"a move of 16 MiB", samples.Figure{Benchmark: "Move/bytes=16777216/threads=0/idle", Unit: "ns/op"},
			samples.Figure{Benchmark: "Move/bytes=16777216/threads=0/idle", Unit: "memcpy-ns/op"}, 20},
	}
	image := build(t)
	// What else the computer does only adds, so the best of a few runs counts.
	best := make([]float64, len(bounds))
	for i := range best {
		best[i] = math.Inf(1)
	}
	for range 3 {
		s := measure(t, image, "floors,calls,moves", "moves=^Move/bytes=(1048576|16777216)/threads=0/idle")
		good := true
		for i, b := range bounds {
			ours, floor := s.Median(b.ours), s.Median(b.floor)
			if !(ours > 0 && floor > 0) {
				t.Fatalf("%s: %v beside %v", b.name, ours, floor)
			}
			best[i] = min(best[i], ours/floor)
			good = good && best[i] <= b.most
		}
		for _, name := range []string{"LocalCall/bytes=8", "RemoteCall/bytes=8", "RemoteCall/bytes=1024", "RemoteCall/bytes=8192", "RemoteCall/bytes=65536"} {
			if n := s.Median(samples.Figure{Benchmark: name, Unit: "allocs/op"}); !(n < 0.5) { // others allocate meanwhile; a call would at least once
				t.Errorf("%s: %v objects are allocated for each", name, n)
			}
		}
		if good {
			break
		}
	}
	for i, b := range bounds {
		t.Logf("%s takes %.1f times its floor, at most %.0f", b.name, best[i], b.most)
		if best[i] > b.most {
			t.Errorf("%s takes %.1f times its floor, want at most %.0f", b.name, best[i], b.most)
		}
	}
}

// TestVariants moves what else there is, of small sizes, and finds a row for each.
func TestVariants(t *testing.T) {
	names := []string{"Move/bytes=65536/values=100", "Move/bytes=1048576/threads=10", "Move/bytes=1048576/threads=1000",
		"Move/bytes=1048576/writes=100MBs", "MoveBatch/n=1", "MoveBatch/n=100"}
	s := measure(t, build(t), "moves", fmt.Sprintf("moves=^(%s)$", strings.Join(names, "|")))
	for _, name := range names {
		unit := "ns/op"
		if strings.HasPrefix(name, "MoveBatch") {
			unit = "ns/proclet"
		}
		if v := s.Median(samples.Figure{Benchmark: name, Unit: unit}); !(v > 0) {
			t.Errorf("%s: %v %s", name, v, unit)
		}
	}
	if v := s.Median(samples.Figure{Benchmark: "Written/by=Move/bytes=1048576/writes=100MBs", Unit: "MB/s"}); !(v > 10) {
		t.Errorf("%v MB/s were written, want about 100", v)
	}
}

// build builds this program.
func build(t *testing.T) (path string) {
	t.Helper()
	path = t.TempDir() + "/measure"
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// measure runs it on two machines and returns what they have printed.
func measure(t *testing.T, image, what string, params ...string) *samples.Set {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r, err := qemu.Start(ctx, qemu.Options{
		Name: "measuretest", Dir: t.TempDir(), Image: image, Hosted: true, Link: true, Pin: true,
		Machines: 2, Memory: 1024, Params: append(params, "measure="+what),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	s := new(samples.Set)
	for _, m := range r.Machines() {
		if code, err := m.Wait(ctx); code != 0 || err != nil {
			t.Fatalf("machine %d: exit code %d, %v\n%s", m.Index(), code, err, m.Console())
		}
		if err := s.Parse(m.Console()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
