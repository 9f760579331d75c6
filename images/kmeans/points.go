package main

import (
	"math/rand/v2"

	"nuos/proclet"
)

// blockSize is how many coordinates the elements of the vector of points have.
const blockSize = 1024

// block is some points, one after the other, and unused zeros where no whole one fits.
type block [blockSize]int32

// span is how far coordinates reach: from 0 to below it. Squares of differences are less
// than 2^32, and a distance is at most blockSize times that.
const span = 1 << 16

// noise is how far points are from the centre that they belong to, in each coordinate.
const noise = span / 8

// data says which points there are. They depend on it alone, and each block on its
// number, so that any machine can make any of them.
type data struct {
	Points, Dimensions int
	Seed               uint64
}

// perBlock is how many points fit into a block.
func (d data) perBlock() int { return blockSize / d.Dimensions }

// blocks is how many blocks the points take.
func (d data) blocks() int { return (d.Points + d.perBlock() - 1) / d.perBlock() }

// in returns how many points are in block i.
func (d data) in(i int) int { return min(d.perBlock(), d.Points-i*d.perBlock()) }

// centres is how many places the points lie around, whatever the number of clusters.
const centres = 100

// fill makes the points of block i: each near one of the centres.
func (d data) fill(i int, b *block) {
	var random, centre rand.PCG
	random.Seed(d.Seed, uint64(i))
	for p := range d.in(i) {
		centre.Seed(d.Seed, ^(random.Uint64() % centres))
		for j := range d.Dimensions {
			at := noise + centre.Uint64()%(span-2*noise)
			b[p*d.Dimensions+j] = int32(at + random.Uint64()%(2*noise) - noise)
		}
	}
}

// fillAt is fill for a shard of the vector.
func fillAt(i int, b *block, _ *proclet.Thread, d data) error {
	d.fill(i, b)
	return nil
}

// nearest returns which centroid is nearest to a point, the first of several, and the
// square of the distance. Centroids lie one after the other.
func nearest(point, centroids []int32) (cluster int, distance int64) {
	distance = -1
	for c := 0; len(centroids) > 0; c++ {
		centroid := centroids[:len(point)]
		centroids = centroids[len(point):]
		sum := int64(0)
		for j, x := range point {
			d := int64(x - centroid[j])
			sum += d * d
		}
		if distance < 0 || sum < distance {
			cluster, distance = c, sum
		}
	}
	return cluster, distance
}
