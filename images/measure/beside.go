package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

// Calls beside moves: what it costs callers that another proclet moves there and back all the
// time, beside what the processors' time costs them that the moves take. So both machines are
// as busy in a second run, with copies of memory that last as long as the moves did, and come
// as often.

// besideBytes are those of the proclet that moves.
const besideBytes = 1 << 20

// besideCalls are timed in each run: the 99.9th percentile is of a hundred.
const besideCalls = 100_000

// Load is a proclet that keeps its machine busy.
type Load struct{ stop atomic.Bool }

// pace is how busy: so long, so often.
type pace struct{ Busy, Every time.Duration }

// Run copies memory at this pace until Stop.
func (l *Load) Run(t *proclet.Thread, p pace) (struct{}, error) {
	f := newFloor(64 << 10)
	for next := time.Now(); !l.stop.Load(); next = next.Add(p.Every) {
		for until := time.Now().Add(p.Busy); time.Now().Before(until); {
			f.copy()
		}
		t.Sleep(time.Until(next.Add(p.Every)))
	}
	return struct{}{}, nil
}

// Stop ends Run.
func (l *Load) Stop(t *proclet.Thread, _ struct{}) (struct{}, error) {
	l.stop.Store(true)
	return struct{}{}, nil
}

// besides measures calls while nothing else happens, beside moves, and beside as much load.
func besides(r *rack.Rack, m *migrate.Migrator, other rack.MachineID) error {
	t := proclet.Current()
	b := &mover{r, m, r.Self().ID, other}
	caller, err := proclet.New[Caller](t, proclet.Options{On: b.self, Pinned: true})
	if err != nil {
		return err
	}
	callee, err := proclet.New[Callee](t, proclet.Options{On: other, Pinned: true})
	if err != nil {
		return err
	}
	measure := func(what string, extra ...figure) error {
		if _, err := proclet.Call(t, caller, (*Caller).Measure, errand{callee, 8, 1, besideCalls}); err != nil {
			return err
		}
		row("CallBeside/what="+what, len(measured), append(quantiles(measured), extra...)...)
		return nil
	}
	if err := measure("nothing"); err != nil {
		return err
	}

	moves, err := b.keepMoving()
	if err != nil {
		return err
	}
	start := time.Now()
	err = measure("moves")
	p, stopped := moves.stop(time.Since(start))
	if err := errors.Join(err, stopped); err != nil {
		return fmt.Errorf("beside moves: %w", err)
	}
	row("CallBeside/moves", 1, figure{float64(p.Busy), "ns/op"}, figure{float64(time.Second) / float64(p.Every), "moves/s"})

	// Two machines do the work of a move, and each is the source of every other one. So each is
	// busy for half of the time.
	p.Every *= 2
	var running sync.WaitGroup
	var loads []proclet.Ref[Load]
	for _, on := range []rack.MachineID{b.self, other} {
		l, err := proclet.New[Load](t, proclet.Options{On: on, Pinned: true})
		if err != nil {
			return err
		}
		loads = append(loads, l)
		running.Go(func() { proclet.Call(proclet.Current(), l, (*Load).Run, p) })
	}
	err = measure("load")
	for _, l := range loads {
		_, stopped := proclet.Call(t, l, (*Load).Stop, struct{}{})
		err = errors.Join(err, stopped)
	}
	running.Wait()
	return err
}

// moving is a proclet that goes there and back until stopped.
type moving struct {
	over  atomic.Bool
	done  chan error
	count int
	took  time.Duration // by the moves
}

func (b *mover) keepMoving() (*moving, error) {
	t := proclet.Current()
	ref, err := proclet.New[Block](t, proclet.Options{Capacity: 4 * besideBytes, On: b.self})
	if err != nil {
		return nil, err
	}
	if _, err := proclet.Call(t, ref, (*Block).Grow, besideBytes); err != nil {
		return nil, err
	}
	m := &moving{done: make(chan error, 1)}
	go func() {
		var err error
		for !m.over.Load() && err == nil {
			start := time.Now()
			if _, err = b.migrator.Move(context.Background(), ref.ID(), b.other); err == nil {
				_, err = migrate.Ask(context.Background(), b.rack, b.other, ref.ID(), b.self)
			}
			m.took += time.Since(start)
			m.count += 2
		}
		m.done <- errors.Join(err, proclet.Destroy(proclet.Current(), ref))
	}()
	return m, nil
}

// stop ends the moves and returns how long one took, and how often one began in all that time.
func (m *moving) stop(after time.Duration) (pace, error) {
	m.over.Store(true)
	err := <-m.done
	return pace{m.took / time.Duration(m.count), after / time.Duration(m.count)}, err
}
