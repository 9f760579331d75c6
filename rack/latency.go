package rack

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Latencies counts durations in buckets, four for each power of two of nanoseconds: a
// bucket's ends differ by a quarter or less. The first bucket is for all that is shorter
// than about 1 µs, and the last one, for 69 s and longer, has no end.
type Latencies struct {
	Buckets [LatencyBuckets]uint64
	Sum     time.Duration
}

// LatencyBuckets is how many buckets Latencies have.
const LatencyBuckets = 4*(lastOctave-firstOctave) + 2

const (
	firstOctave = 10 // the first bucket ends at 2^firstOctave ns
	lastOctave  = 36 // the last one begins at 2^lastOctave ns
)

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	octave := bits.Len64(n) - 1
	switch {
	case octave < firstOctave:
		return 0
	case octave >= lastOctave:
		return LatencyBuckets - 1
	}
	return 1 + 4*(octave-firstOctave) + int(n>>(octave-2)&3)
}

// LatencyEnd returns the end of a bucket: all that it counts is shorter. The last one's
// is the longest duration.
func LatencyEnd(bucket int) time.Duration {
	if bucket >= LatencyBuckets-1 {
		return math.MaxInt64
	}
	return time.Duration(4+bucket%4) << (firstOctave - 2 + bucket/4)
}

// Count returns how many durations there are.
func (l *Latencies) Count() (n uint64) {
	for _, c := range l.Buckets {
		n += c
	}
	return n
}

// Quantile returns an upper bound of the fraction q of them, from 0 to 1; 0 if there are
// none. Of the last bucket only the beginning is known.
func (l *Latencies) Quantile(q float64) time.Duration {
	n := l.Count()
	if n == 0 {
		return 0
	}
	rank := min(uint64(q*float64(n)), n-1)
	for i, c := range l.Buckets {
		if rank < c {
			return LatencyEnd(min(i, LatencyBuckets-2))
		}
		rank -= c
	}
	return 0
}

// Since returns what has been added to earlier to make l.
func (l *Latencies) Since(earlier *Latencies) (d Latencies) {
	for i, n := range l.Buckets {
		d.Buckets[i] = n - min(earlier.Buckets[i], n)
	}
	d.Sum = l.Sum - min(earlier.Sum, l.Sum)
	return d
}

// latencies is Latencies that are counted, by anybody.
type latencies struct {
	buckets [LatencyBuckets]atomic.Uint64
	sum     atomic.Int64
}

func (l *latencies) add(d time.Duration) {
	l.buckets[bucketOf(d)].Add(1)
	l.sum.Add(int64(d))
}

func (l *latencies) read() (all Latencies) {
	all.Sum = time.Duration(l.sum.Load())
	for i := range l.buckets {
		all.Buckets[i] = l.buckets[i].Load()
	}
	return all
}
