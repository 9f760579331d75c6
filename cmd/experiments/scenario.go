package main

import (
	"context"
	"fmt"
	"time"

	"nuos/migrate/stress"
	"nuos/qemu"
)

// scenario is one experiment.
type scenario struct {
	name    string
	title   string
	app     string // main package
	options qemu.Options
	victim  int          // machine that is stressed
	order   stress.Order // what is taken of it
	roomy   func(*scenario)
	phase   time.Duration // before; it is stressed for as long, and watched for as long after
	scale   float64       // of the load, to what is measured at first
	clear   bool          // the victim has no proclets when it begins
}

// variants are how each scenario is made.
var variants = []string{"moving", "staying", "roomy", "calm"}

// of returns the scenario as a variant has it.
func (s scenario) of(variant string) (scenario, error) {
	params := append([]string(nil), s.options.Params...)
	switch variant {
	case "moving":
		params = append(params, "balance=on")
	case "staying":
		params = append(params, "balance=off")
	case "roomy":
		params = append(params, "balance=off")
		s.roomy(&s)
	case "calm":
		params = append(params, "balance=on")
		s.order = stress.Order{}
	default:
		return s, fmt.Errorf("variant %q: want one of %v", variant, variants)
	}
	s.options.Params = params
	return s, nil
}

const mib = 1 << 20

// size is how much there is in a store.
type size struct{ keys, fresh, value int }

func (s *scenario) size() size {
	switch {
	case s.order.Rate == 0 && s.options.Hosted:
		return size{20_000, 0, 512}
	case s.order.Rate == 0:
		return size{2_000, 0, 512}
	case s.options.Hosted:
		return size{36_000, 24_000, 4096}
	}
	return size{6_000, 2_000, 4096}
}

// serving are the machines that clients talk to: where a processor is taken, those where none is, as what
// cannot move is no part of the experiment.
func (s *scenario) serving() []int {
	if s.order.Rate == 0 {
		return []int{0}
	}
	return nil
}

// start starts the application's part of a run.
func (s *scenario) start(ctx context.Context, e *experiments, r *qemu.Rack) (app, error) {
	if s.app == kvApp {
		return startKV(ctx, e, s, r)
	}
	return startKmeans(ctx, r)
}

// parameters are the boot parameters of the application.
func (s *scenario) parameters() []string {
	if s.app == kvApp {
		return s.options.Params
	}
	points := 100_000
	if !s.options.Hosted {
		points = 10_000
	}
	return append(s.options.Params, fmt.Sprintf("points=%d", points), "iterations=0", "window=10ms",
		fmt.Sprintf("seconds=%d", int(3*s.phase.Seconds())+2))
}

// scenarios on both grounds. Emulated machines are a hundred times slower, and get less to do.
func scenarios() (all []scenario) {
	for _, hosted := range []bool{true, false} {
		ground, phase := "hosted", 5*time.Second
		if !hosted {
			ground, phase = "QEMU", 10*time.Second
		}
		memory := qemu.Options{Hosted: hosted, Machines: 3, Memory: 192}
		taken := stress.Order{Rate: 200 * mib, Leave: 2 * mib}
		if !hosted {
			taken.Leave = 24 * mib // an image's Go runtime needs some of the same memory
		}
		all = append(all,
			scenario{
				name: "kv-memory-" + ground, title: "kv, memory taken, " + ground, app: "./images/kv",
				options: memory, victim: 2, phase: phase, scale: .5,
				order: taken,
				roomy: func(s *scenario) { s.options.Memory, s.order.Leave = 768, 400*mib },
			},
			scenario{
				name: "kv-processor-" + ground, title: "kv, processor taken, " + ground, app: "./images/kv",
				options: qemu.Options{Hosted: hosted, Machines: 2, Memory: 512, Pin: hosted}, victim: 1, phase: phase, scale: .5,
				order: stress.Order{Cores: 1},
				roomy: cleared,
			},
			scenario{
				name: "kmeans-memory-" + ground, title: "k-means, memory taken, " + ground, app: "./images/kmeans",
				options: memory, victim: 2, phase: phase, order: taken,
				roomy: func(s *scenario) { s.options.Memory, s.order.Leave = 768, 400*mib },
			},
			scenario{
				name: "kmeans-processor-" + ground, title: "k-means, processor taken, " + ground, app: "./images/kmeans",
				options: qemu.Options{Hosted: hosted, Machines: 2, Memory: 512, Pin: hosted}, victim: 1, phase: phase,
				order: stress.Order{Cores: 1},
				roomy: cleared,
			},
		)
	}
	return all
}

// cleared moves everything off the machine beforehand.
func cleared(s *scenario) { s.clear = true }
