package main

import "slices"

// maxCoordinates bounds centroids and sums, so that they fit into a message.
const maxCoordinates = 1 << 16

// model is what k-means has found so far.
type model struct {
	dimensions int
	centroids  []int32 // one after the other
	iterations int
	checksum   uint64 // depends on the sums of all iterations, and on their order
}

// sums are what an iteration adds up, of all points or of some. Whole numbers give the
// same sum in any order.
type sums struct {
	coordinates []int64 // of the points in each cluster
	counts      []int64 // of the points in each cluster
	distance    int64   // of all points, squared
}

func newSums(dimensions, clusters int) sums {
	return sums{coordinates: make([]int64, clusters*dimensions), counts: make([]int64, clusters)}
}

// add adds the sums of other points.
func (s *sums) add(p partial) {
	for i, v := range p.Coordinates {
		s.coordinates[i] += v
	}
	for i, n := range p.Counts {
		s.counts[i] += n
	}
	s.distance += p.Distance
}

// begin returns the model that everything starts with: the first points are the
// centroids.
func begin(d data, clusters int) *model {
	m := &model{dimensions: d.Dimensions}
	for i := 0; len(m.centroids) < clusters*d.Dimensions; i++ {
		var b block
		d.fill(i, &b)
		m.centroids = append(m.centroids, b[:d.in(i)*d.Dimensions]...)
	}
	m.centroids = m.centroids[:clusters*d.Dimensions]
	return m
}

// step makes the next centroids: the means of the clusters, rounded down. The centroid of
// a cluster without points stays where it is. It reports whether any has changed.
func (m *model) step(s sums) (changed bool) {
	before := slices.Clone(m.centroids)
	m.note(uint64(s.distance))
	for c, n := range s.counts {
		m.note(uint64(n))
		for i := c * m.dimensions; i < (c+1)*m.dimensions; i++ {
			m.note(uint64(s.coordinates[i]))
			if n > 0 {
				m.centroids[i] = int32(s.coordinates[i] / n)
			}
		}
	}
	m.iterations++
	return !slices.Equal(before, m.centroids)
}

// note adds a number to the checksum. No bit of either is without effect.
func (m *model) note(v uint64) {
	x := m.checksum*0x9e3779b97f4a7c15 + v + 1
	x ^= x >> 32
	x *= 0xbf58476d1ce4e5b9
	m.checksum = x ^ x>>29
}
