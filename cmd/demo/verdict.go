package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/qemu/tor"
)

// account is the memory of one machine when the load has ended.
type account struct {
	machine  string
	proclets int
	mapped   uint64 // bytes of all heaps, as the proclets say
	frames   uint64 // frames that back heaps, as the frame allocator says
}

// account asks every machine what its proclets take and what its memory says.
// The two agree when nothing moves and what has left is given back.
func (d *demo) account(ctx context.Context) ([]account, error) {
	r, err := d.observe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var all []account
		balanced := true
		for _, m := range r.Members() {
			infos, err := proclet.Ask(ctx, r, m.ID)
			if err != nil {
				return nil, err
			}
			stats, err := migrate.AskStats(ctx, r, m.ID)
			if err != nil {
				return nil, err
			}
			a := account{machine: m.IP.String(), proclets: len(infos), frames: stats.Frames.Heaps}
			for _, info := range infos {
				a.mapped += info.Mapped
			}
			balanced = balanced && a.mapped == a.frames*mm.PageSize
			all = append(all, a)
		}
		if balanced {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return all, nil // the verdict tells
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// wire returns the switch's totals at a moment when every frame that went in has
// come out or is counted as dropped, and whether there was one: frames that are
// on their way are in no count yet.
func (d *demo) wire(ctx context.Context) (tor.Stats, bool) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		s := d.rack.Switch().Totals()
		in := s.RxFrames + s.Injected + s.Duplicated + s.Flooded
		if in == s.TxFrames+s.Lost+s.Dropped+s.Partitioned+s.Filtered {
			return s, true
		}
		if ctx.Err() != nil {
			return s, false
		}
		time.Sleep(time.Millisecond)
	}
}

// verdict prints what happened and returns an error if any of it must not.
func (d *demo) verdict(ctx context.Context, r *result, accounts []account) error {
	s := d.load.Stats()
	requests := s.Requests + r.benchmark
	pause := func(q float64) time.Duration { return time.Duration(r.pauses.ValueAtQuantile(q)) * time.Microsecond }
	fmt.Printf("\n  migrations under load  %d of proclets of 64 KiB to 1 MiB (%d of others, %d not made: the proclet stayed)\n", r.made, r.others, r.notMade)
	fmt.Printf("  bytes moved            %d MiB, proclets of %d to %d KiB\n", r.bytes>>20, r.least>>10, r.most>>10)
	fmt.Printf("  pause                  p50 %v, p99 %v\n", pause(50), pause(99))
	fmt.Printf("  requests               %d (%d of redis-benchmark) in %v, %.0f a second\n", requests, r.benchmark, r.took.Round(time.Second), float64(requests)/r.took.Seconds())
	fmt.Printf("  latency of a pipeline  p50 %v, p99 %v\n", s.P50, s.P99)
	for _, a := range accounts {
		fmt.Printf("  %-21s  %d proclets, %d KiB of heaps, %d frames\n", a.machine, a.proclets, a.mapped>>10, a.frames)
	}
	wire, balanced := d.wire(ctx)
	fmt.Printf("  frames on the wire     %d in and %d copies, %d out; links lost %d, damaged %d, held back %d, dropped %d\n",
		wire.RxFrames, wire.Duplicated+wire.Flooded, wire.TxFrames, wire.Lost, wire.Corrupted, wire.Reordered, wire.Dropped)
	fmt.Printf("  errors %d, lost %d, wrong %d\n\n", s.Errors, s.Lost, s.Wrong)
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, f := range append(d.load.Failures(), r.problems...) {
		fail("%s", f)
	}
	if s.Errors+s.Lost+s.Wrong > 0 {
		fail("%d errors, %d lost, %d wrong", s.Errors, s.Lost, s.Wrong)
	}
	if requests < d.requests || r.made < d.migrations {
		fail("only %d of %d requests and %d of %d migrations in %v", requests, d.requests, r.made, d.migrations, d.within)
	}
	if !balanced {
		fail("frames on the wire are not accounted for: %+v", wire)
	}
	for _, a := range accounts {
		if a.mapped != a.frames*mm.PageSize {
			fail("machine %s: heaps of %d bytes, but %d frames", a.machine, a.mapped, a.frames)
		}
	}
	for _, m := range d.rack.Machines() {
		if !m.Running() {
			fail("machine %d ended (console in %s)", m.Index(), m.ConsolePath())
		}
	}
	if wrong != nil {
		return errors.Join(wrong...)
	}
	fmt.Println("  PASSED: every acknowledged write is there, nothing is wrong, no request failed")
	return nil
}
