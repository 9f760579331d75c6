package metrics

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"

	"nuos/rack"
)

// Histograms have buckets that end at powers of two of nanoseconds: from 2^10, about 1 µs,
// to 2^36, about 69 s.
const (
	firstBound = 10
	lastBound  = 36
)

// durations sends a histogram of durations in nanoseconds.
func (to sink) durations(d *prometheus.Desc, h *hdrhistogram.Histogram, labels ...string) {
	buckets := map[float64]uint64{}
	bars := h.Distribution()
	below, next, sum := uint64(0), 0, 0.0
	for bound := firstBound; bound <= lastBound; bound++ {
		for ; next < len(bars) && bars[next].To < 1<<bound; next++ {
			below += uint64(bars[next].Count)
		}
		buckets[seconds(1<<bound)] = below
	}
	for _, b := range bars {
		sum += float64(b.Count) * float64(b.From+b.To) / 2
	}
	to <- prometheus.MustNewConstHistogram(d, uint64(h.TotalCount()), sum/1e9, buckets, labels...)
}

// latencies sends a histogram of the rack's.
func (to sink) latencies(d *prometheus.Desc, l *rack.Latencies, labels ...string) {
	buckets := map[float64]uint64{}
	below, next := uint64(0), 0
	for bound := firstBound; bound <= lastBound; bound++ {
		for ; next < rack.LatencyBuckets && rack.LatencyEnd(next) <= 1<<bound; next++ {
			below += l.Buckets[next]
		}
		buckets[seconds(1<<bound)] = below
	}
	to <- prometheus.MustNewConstHistogram(d, l.Count(), l.Sum.Seconds(), buckets, labels...)
}

func seconds(d time.Duration) float64 { return d.Seconds() }
