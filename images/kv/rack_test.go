package main

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/images/kv/load"
	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/qemu"
	"nuos/qemu/tor"
	"nuos/rack"
)

// start runs a rack of this program and returns it when it serves.
func start(t *testing.T, o qemu.Options) *qemu.Rack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o.Name, o.Dir = "kvtest", t.TempDir()
	o.Forward = []qemu.Forward{{Listen: "127.0.0.1:0", Port: 6379}}
	if o.Hosted {
		o.Package = "."
	} else {
		r, err := image.Build(ctx, image.Options{Package: ".", Output: filepath.Join(t.TempDir(), "kv.elf")})
		if err != nil {
			t.Fatal(err)
		}
		// Nearly half of it is metrics: HTTP, TLS, templates and Prometheus's client.
		if limit := int64(20e6); r.Size >= limit {
			t.Errorf("the image has %d bytes, want less than %d", r.Size, limit)
		}
		o.Image = r.Path
	}
	r, err := qemu.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, m := range r.Machines() {
				console := m.Console()
				t.Logf("machine %d (running: %v):\n%s", m.Index(), m.Running(), console[max(0, len(console)-4000):])
			}
		}
		r.Stop()
	})
	if err := r.WaitPort(ctx, 6379); err != nil {
		t.Fatal(err)
	}
	return r
}

// observe joins a rack as an observer.
func observe(t *testing.T, r *qemu.Rack) *rack.Rack {
	t.Helper()
	running, err := qemu.Attach(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	o, err := running.Observe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// TestMovesUnderLoad shuffles proclets while clients work, on a good network and
// on a bad one, as processes and as virtual machines: nothing may fail, be lost or
// be wrong, and every frame must be accounted for.
func TestMovesUnderLoad(t *testing.T) {
	bad := tor.Faults{Loss: 0.01, Duplicate: 0.01, Reorder: 0.01, Corrupt: 0.01}
	tests := []struct {
		name     string
		options  qemu.Options
		requests int64
		moves    int64
	}{
		{"hosted", qemu.Options{Hosted: true, Machines: 3}, 20000, 300},
		{"hosted with faults", qemu.Options{Hosted: true, Machines: 3, Faults: bad, Seed: 1}, 10000, 150},
		{"virtual", qemu.Options{Machines: 3}, 4000, 40},
		{"virtual with faults, on microvm", qemu.Options{Machines: 2, MachineType: "microvm", CPU: "default", CPUs: 2, Faults: bad, Seed: 1}, 1000, 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, test.options)
			underLoad(t, r, test.requests, test.moves)
		})
	}
}

func underLoad(t *testing.T, r *qemu.Rack, requests, moves int64) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	l := &load.Load{Addr: r.Listen()[0], Seed: 1, Keys: 3000, Size: 2048, Counters: 20, Workers: 6, Depth: 8}
	l.Open()
	defer l.Close()
	if err := l.Fill(ctx, func(int) {}); err != nil {
		t.Fatal(err)
	}
	observer := observe(t, r)
	working, stop := context.WithCancel(ctx)
	defer stop()
	var made atomic.Int64
	var all sync.WaitGroup
	all.Go(func() { l.Run(working) })
	all.Go(func() {
		s := migrate.Shuffler{Rack: observer, Every: 5 * time.Millisecond, Seed: 1, Done: func(_ migrate.Report, err error) {
			if err == nil {
				made.Add(1)
			}
			if l.Stats().Requests >= requests && made.Load() >= moves {
				stop()
			}
		}}
		if err := s.Run(working); err != nil {
			t.Error(err)
			stop()
		}
	})
	all.Wait()
	if err := l.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	s := l.Stats()
	if s.Errors != 0 || s.Lost != 0 || s.Wrong != 0 || s.Requests < requests || made.Load() < moves {
		t.Errorf("%+v and %d moves; want %d requests and %d moves\n%q", s, made.Load(), requests, moves, l.Failures())
	}
	balanced(t, ctx, observer)
}

// balanced waits until every machine's heaps have as many frames as its proclets
// say: what has left is given back.
func balanced(t *testing.T, ctx context.Context, r *rack.Rack) {
	for _, m := range r.Members() {
		for {
			infos, err := proclet.Ask(ctx, r, m.ID)
			if err != nil {
				t.Fatal(err)
			}
			stats, err := migrate.AskStats(ctx, r, m.ID)
			if err != nil {
				t.Fatal(err)
			}
			mapped := uint64(0)
			for _, info := range infos {
				mapped += info.Mapped
			}
			if mapped == stats.Frames.Heaps*mm.PageSize {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("machine %d: heaps of %d bytes, but %d frames", m.ID, mapped, stats.Frames.Heaps)
			}
		}
	}
}
