package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// compare makes the same computation on this machine alone, without proclets, and fails
// if the sums of any iteration were others.
func compare(ctx context.Context, far *model, o options) error {
	near := begin(o.data, o.clusters)
	for all, changed := (sums{}), true; near.iterations < far.iterations && ctx.Err() == nil; {
		if changed { // otherwise the same centroids give the same sums again
			all = o.sumAlone(near.centroids)
		}
		changed = near.step(all)
	}
	if far.checksum != near.checksum || !slices.Equal(far.centroids, near.centroids) {
		return fmt.Errorf("%d iterations on the rack have checksum %016x, on one machine %016x; %d of %d centroids' coordinates are equal",
			far.iterations, far.checksum, near.checksum, equal(far.centroids, near.centroids), len(near.centroids))
	}
	return ctx.Err()
}

// sumAlone assigns all points, with goroutines, one for each processor.
func (o options) sumAlone(centroids []int32) sums {
	all := newSums(o.Dimensions, o.clusters)
	var mu sync.Mutex
	var group sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for first := range n {
		group.Go(func() {
			mine := newSums(o.Dimensions, o.clusters)
			for i := first; i < o.blocks(); i += n {
				var b block
				o.fill(i, &b)
				for points := b[:o.in(i)*o.Dimensions]; len(points) > 0; points = points[o.Dimensions:] {
					c, distance := nearest(points[:o.Dimensions], centroids)
					mine.counts[c]++
					mine.distance += distance
					for j, x := range points[:o.Dimensions] {
						mine.coordinates[c*o.Dimensions+j] += int64(x)
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(partial{mine.coordinates, mine.counts, mine.distance})
		})
	}
	group.Wait()
	return all
}

// equal counts the places at which two slices agree.
func equal(a, b []int32) (n int) {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}
