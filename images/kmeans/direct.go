package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nuos/proclet"
	"nuos/proclet/dist"
	"nuos/rack"
)

// workersPerMachine is the default: some for each processor, so that there are always
// enough, and small ones, to move.
const workersPerMachine = 4

// workerCapacity has room for the sums, and for keeping the last answer with them.
const workerCapacity = 16 << 20

// direct runs k-means on the whole rack and compares the outcome with that of one machine.
func direct(t *proclet.Thread, r *rack.Rack, o options) (err error) {
	if o.workers == 0 {
		o.workers = workersPerMachine * len(r.Members())
	}
	points, err := dist.NewVector[block](t, dist.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, points.Release(t)) }()
	if _, err := points.Grow(t, o.blocks()); err != nil {
		return fmt.Errorf("making %d points: %w", o.Points, err)
	}
	if err := dist.Update(t, points, fillAt, o.data); err != nil {
		return fmt.Errorf("making %d points: %w", o.Points, err)
	}
	workers, err := hire(t, points, o)
	defer func() {
		for _, w := range workers {
			err = errors.Join(err, proclet.Release(t, w))
		}
	}()
	if err != nil {
		return err
	}
	fmt.Printf("kmeans: %d points of %d coordinates, %d clusters, %d workers\n", o.Points, o.Dimensions, o.clusters, len(workers))

	m := begin(o.data, o.clusters)
	start := time.Now()
	stop := watch(r, o.window)
	for ended := false; !ended && err == nil; {
		err = iterate(t, workers, m)
		progress.Store(int64(m.iterations))
		ended = m.iterations == o.iterations || o.limit > 0 && time.Since(start) >= o.limit
	}
	took := time.Since(start)
	stop()
	if err != nil {
		return fmt.Errorf("iteration %d: %w", m.iterations, err)
	}
	speed := float64(o.Points) * float64(o.clusters) * float64(m.iterations) / took.Seconds()
	fmt.Printf("kmeans: %d iterations in %v, throughput=%.4g, checksum %016x; now one machine\n", m.iterations, took.Round(time.Millisecond), speed, m.checksum)
	if err := compare(context.Background(), m, o); err != nil {
		return err
	}
	fmt.Printf("PASS kmeans: %d iterations, checksum %016x\n", m.iterations, m.checksum)
	return nil
}

// hire makes the workers and divides the blocks among them. Those made are returned also
// if it fails.
func hire(t *proclet.Thread, points dist.Vector[block], o options) (workers []proclet.Ref[Worker], err error) {
	for i := range o.workers {
		w, err := proclet.New[Worker](t, proclet.Options{Capacity: workerCapacity})
		if err != nil {
			return workers, fmt.Errorf("worker %d: %w", i, err)
		}
		workers = append(workers, w)
		s := share{o.data, points, o.blocks() * i / o.workers, o.blocks() * (i + 1) / o.workers, o.clusters}
		if _, err := proclet.Call(t, w, (*Worker).Begin, s); err != nil {
			return workers, fmt.Errorf("worker %d: %w", i, err)
		}
	}
	return workers, nil
}

// iterate is one iteration: the workers map, and what they return is reduced.
func iterate(t *proclet.Thread, workers []proclet.Ref[Worker], m *model) error {
	partials, err := proclet.CallMany(t, workers, (*Worker).Map, m.centroids)
	if err != nil {
		return err
	}
	all := newSums(m.dimensions, len(m.centroids)/m.dimensions)
	for _, p := range partials {
		all.add(p)
	}
	m.step(all)
	return nil
}
