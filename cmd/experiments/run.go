package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nuos/images/kv/load"
	"nuos/migrate"
	"nuos/migrate/stress"
	"nuos/proclet"
	"nuos/qemu"
	"nuos/rack"
)

// window is how long the windows are in which throughput and latency are looked at.
const window = 10 * time.Millisecond

// run is one scenario in one variant.
type run struct {
	scenario scenario
	variant  string

	windows  []sample // from the beginning
	moves    uint64
	bytes    uint64
	unit     string  // of what is done
	rate     float64 // that is asked for a second; 0: as much as possible
	answers  []load.Answer
	began    time.Time
	failures int64    // requests without an answer, lost or wrong
	first    []string // of them
	over     string   // why it came to no end
}

// sample is what happened in a window. Latencies count from when requests were due.
type sample struct {
	at             time.Duration // when it begins
	throughput     float64       // a second
	p50, p99, p999 time.Duration
}

// app is an application under load.
type app interface {
	// begin starts the load; what it measures counts from then.
	begin(ctx context.Context) error
	// end stops the load, checks what is to be checked, and tells what was measured.
	end(ctx context.Context, into *run) error
}

// make makes one run: the application, then it with the machine stressed, then without again.
func (s scenario) make(ctx context.Context, e *experiments, variant string) (_ *run, err error) {
	s, err = s.of(variant)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	o := s.options
	o.Name, o.Dir, o.Seed = "experiment", e.folder(), e.seed
	o.Image = e.images[program{s.app, o.Hosted}]
	o.Params = s.parameters()
	if s.app == kvApp {
		o.Forward = []qemu.Forward{{Listen: "127.0.0.1:0", Port: kvPort, Only: s.serving()}}
	}
	machines, err := qemu.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer machines.Stop()
	a, err := s.start(ctx, e, machines)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, machines.Machine(0).Console())
	}
	observer, err := observe(machines)
	if err != nil {
		return nil, err
	}
	defer observer.Close()
	victim, err := memberOf(observer, machines.Machine(s.victim))
	if err != nil {
		return nil, err
	}
	if s.clear {
		if err := clear(ctx, observer, victim); err != nil {
			return nil, err
		}
	}
	r := &run{scenario: s, variant: variant}
	before, beforeBytes, err := moved(ctx, observer)
	if err != nil {
		return nil, err
	}
	if err := a.begin(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	sleep(ctx, began.Add(s.phase))
	if s.order != (stress.Order{}) {
		s.order.For = s.phase
		if _, err := stress.Ask(ctx, observer, victim, s.order); err != nil {
			return nil, err
		}
	}
	sleep(ctx, began.Add(3*s.phase))
	after, afterBytes, err := moved(ctx, observer)
	if err != nil {
		return nil, err
	}
	r.moves, r.bytes = after-before, afterBytes-beforeBytes
	if err := a.end(ctx, r); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, machines.Machine(0).Console())
	}
	return r, nil
}

func sleep(ctx context.Context, until time.Time) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(until)):
	}
}

func observe(r *qemu.Rack) (*rack.Rack, error) {
	running, err := qemu.Attach(r.Dir)
	if err != nil {
		return nil, err
	}
	return running.Observe()
}

// memberOf finds a machine in its rack.
func memberOf(r *rack.Rack, m *qemu.Machine) (rack.MachineID, error) {
	for _, x := range r.Members() {
		if x.IP == m.IP() {
			return x.ID, nil
		}
	}
	return 0, fmt.Errorf("machine %d is not in the rack", m.Index())
}

// moved sums up the moves that were made.
func moved(ctx context.Context, r *rack.Rack) (n, bytes uint64, err error) {
	for _, m := range r.Members() {
		st, err := migrate.AskStats(ctx, r, m.ID)
		if err != nil {
			return 0, 0, err
		}
		n, bytes = n+st.Made, bytes+st.Bytes
	}
	return n, bytes, nil
}

// clear moves what can be moved off a machine to the one that is first.
func clear(ctx context.Context, r *rack.Rack, from rack.MachineID) error {
	infos, err := proclet.Ask(ctx, r, from)
	if err != nil {
		return err
	}
	to := r.Members()[0].ID
	if to == from {
		return errors.New("the first machine is the one to be cleared")
	}
	for _, i := range infos {
		if i.Pinned {
			continue
		}
		id, err := proclet.ParseID(i.ID)
		if err != nil {
			return err
		}
		if _, err := migrate.Ask(ctx, r, from, id, to); err != nil {
			return fmt.Errorf("clearing machine %d: %w", from, err)
		}
	}
	return nil
}
