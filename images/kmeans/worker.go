package main

import (
	"runtime"

	"nuos/proclet"
	"nuos/proclet/dist"
)

// Worker is the state of a compute proclet. Its points lie elsewhere.
type Worker struct {
	data   data
	points dist.Vector[block]
	from   int // the blocks that are its own
	to     int

	// Of the iteration that it is at.
	coordinates proclet.Slice[int64]
	counts      proclet.Slice[int64]
	distance    int64
}

// share is what a worker is to do in all iterations.
type share struct {
	Data     data
	Points   dist.Vector[block]
	From, To int
	Clusters int
}

// Begin tells the worker its share.
func (w *Worker) Begin(t *proclet.Thread, s share) (struct{}, error) {
	w.data, w.from, w.to = s.Data, s.From, s.To
	for range s.Clusters {
		if err := w.counts.Append(t, 0); err != nil {
			return struct{}{}, err
		}
	}
	for range s.Clusters * s.Data.Dimensions {
		if err := w.coordinates.Append(t, 0); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, w.points.Keep(t, s.Points)
}

// partial is the sums of a worker's points.
type partial struct {
	Coordinates, Counts []int64
	Distance            int64
}

// Map finds the nearest centroid of each point of the worker's, and returns the sums.
// One call at a time.
func (w *Worker) Map(t *proclet.Thread, centroids []int32) (p partial, err error) {
	for _, v := range w.coordinates.All() {
		*v = 0
	}
	for _, n := range w.counts.All() {
		*n = 0
	}
	w.distance = 0
	for at := w.from; at < w.to && err == nil; {
		// What comes with the page is gone after it, and until then moves with the thread.
		t.Scope(func() {
			var page []block
			if page, err = w.points.Page(t, at, w.to); err != nil {
				return
			}
			for i := range page {
				w.assign(t, page[i][:w.data.in(at)*w.data.Dimensions], centroids)
				at++
				runtime.Gosched() // moves, and calls of shards, are not to wait for Go's time slices
			}
		})
	}
	if err != nil {
		return p, err
	}
	p.Distance = w.distance
	for _, v := range w.coordinates.All() {
		p.Coordinates = append(p.Coordinates, *v)
	}
	for _, n := range w.counts.All() {
		p.Counts = append(p.Counts, *n)
	}
	return p, nil
}

// assign adds points, which lie one after the other, to their clusters. The worker may
// move after each.
func (w *Worker) assign(t *proclet.Thread, points, centroids []int32) {
	d := w.data.Dimensions
	for ; len(points) > 0; points = points[d:] {
		c, distance := nearest(points[:d], centroids)
		*w.counts.At(c)++
		w.distance += distance
		for j, x := range points[:d] {
			*w.coordinates.At(c*d + j) += int64(x)
		}
		done.Add(int64(len(centroids) / d))
		t.Checkpoint()
	}
}
