package main

import (
	"fmt"
	"strconv"
	"time"

	"nuos/boot"
)

var (
	pointsParam     = boot.NewParam("points", "100000", "kmeans: number of points")
	dimensionsParam = boot.NewParam("dimensions", "32", "kmeans: coordinates of a point, at most 1024")
	clustersParam   = boot.NewParam("clusters", "64", "kmeans: number of clusters")
	iterationsParam = boot.NewParam("iterations", "10", "kmeans: number of iterations; 0 is until seconds are over")
	secondsParam    = boot.NewParam("seconds", "0", "kmeans: no iteration begins after so many; 0 is without end")
	workersParam    = boot.NewParam("workers", "0", "kmeans: number of workers; 0 is 4 for each machine")
	seedParam       = boot.NewParam("seed", "1", "kmeans: seed of the points")
	windowParam     = boot.NewParam("window", "1s", "kmeans: how often the throughput is printed")
)

// options are what is computed, and how.
type options struct {
	data
	clusters   int
	iterations int           // 0: without end
	limit      time.Duration // 0: none
	workers    int           // 0: by the number of machines
	window     time.Duration
}

// maxPoints keeps every sum of coordinates or distances below 2^63.
const maxPoints = 1 << 30

// parameters reads the boot parameters.
func parameters() (o options, err error) {
	number := func(p *boot.Param, low, high int) int {
		n, bad := strconv.Atoi(p.Value())
		if err == nil && (bad != nil || n < low || n > high) {
			err = fmt.Errorf("boot parameter %s=%s: want a number from %d to %d", p.Name, p.Value(), low, high)
		}
		return n
	}
	o.Points = number(pointsParam, 1, maxPoints)
	o.Dimensions = number(dimensionsParam, 1, blockSize)
	o.clusters = number(clustersParam, 1, 1<<16)
	o.iterations = number(iterationsParam, 0, 1<<30)
	o.limit = time.Duration(number(secondsParam, 0, 1<<30)) * time.Second
	o.workers = number(workersParam, 0, 1<<12)
	o.Seed = uint64(number(seedParam, 0, 1<<62))
	if err != nil {
		return o, err
	}
	switch {
	case o.clusters > o.Points:
		return o, fmt.Errorf("boot parameter clusters=%d: there are only %d points", o.clusters, o.Points)
	case o.clusters*o.Dimensions > maxCoordinates:
		return o, fmt.Errorf("boot parameters clusters=%d, dimensions=%d: the centroids have more than %d coordinates", o.clusters, o.Dimensions, maxCoordinates)
	case o.iterations == 0 && o.limit == 0:
		return o, fmt.Errorf("boot parameters iterations=0, seconds=0: one must end it")
	}
	if o.window, err = time.ParseDuration(windowParam.Value()); err != nil || o.window < time.Millisecond {
		return o, fmt.Errorf("boot parameter window=%s: want a duration of at least 1ms", windowParam.Value())
	}
	return o, nil
}
