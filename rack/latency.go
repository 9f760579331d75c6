package rack

import (
	"math"
	"math/bits"
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

// add counts a duration.
func (l *Latencies) add(d time.Duration) {
	l.Buckets[bucketOf(d)]++
	l.Sum += d
}

// merge adds what others have counted.
func (l *Latencies) merge(other *Latencies) {
	for i, n := range other.Buckets {
		l.Buckets[i] += n
	}
	l.Sum += other.Sum
}

// latencies returns those of all sessions, also of those that are over.
func (e *endpoint) latencies() Latencies {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.past
	for _, s := range e.peers.Load().byNonce {
		s.mu.Lock()
		all.merge(&s.latencies)
		s.mu.Unlock()
	}
	return all
}

// retire keeps the latencies of a session that is taken out of the table. Called with mu
// held, so that nobody sees them twice or not at all.
func (e *endpoint) retire(s *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.past.merge(&s.latencies)
	s.latencies = Latencies{} // what is removed again, or hears of a reply late, is counted once
}
