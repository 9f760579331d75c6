package proclet

import (
	"sync/atomic"
	"testing"
	"time"

	"nuos/mm"
)

// Benchmarks report ratios to what they are built on, measured in the same run.

// tally is a state type with as little to do as possible.
type tally struct{ n int64 }

func (s *tally) Add(t *Thread, n int64) (int64, error) { s.n += n; return s.n, nil }

func (s *tally) Length(t *Thread, v string) (int64, error) { return int64(len(v)), nil }

type direct interface {
	Add(t *Thread, n int64) (int64, error)
}

// ratio runs f b.N times and reports its time as a multiple of that of base.
// They take turns, so that what else the machine does strikes both.
func ratio(b *testing.B, base, f func(i int)) {
	const turn = 500
	var floor time.Duration
	for done := 0; done < b.N; done += turn {
		n := min(turn, b.N-done)
		b.StartTimer()
		for i := range n {
			f(done + i)
		}
		b.StopTimer()
		start := time.Now()
		for i := range n {
			base(done + i)
		}
		floor += time.Since(start)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(floor), "times-floor")
}

// BenchmarkLocalCall compares a call with one of the same method through an
// interface.
func BenchmarkLocalCall(b *testing.B) {
	_, rts := newSegment(b, 1)
	th := rts[0].Current()
	ref := mustNew[tally](b, th, Options{})
	inside := rts[0].find(ref.id)
	var d direct = (*tally)(inside.state)
	through := func(int) { d.Add(nil, 1) }
	b.Run("number", func(b *testing.B) {
		b.ReportAllocs()
		ratio(b, through, func(int) { Call(th, ref, (*tally).Add, 1) })
	})
	b.Run("string", func(b *testing.B) {
		b.ReportAllocs()
		ratio(b, through, func(int) { Call(th, ref, (*tally).Length, "requests") })
	})
}

// BenchmarkGate is the part of a local call that concurrent calls share.
func BenchmarkGate(b *testing.B) {
	var n atomic.Int64
	var g gate
	ratio(b, func(int) { n.Add(1) }, func(int) {
		g.enter(false)
		g.leave()
	})
}

// BenchmarkNew makes and destroys a small proclet.
func BenchmarkNew(b *testing.B) {
	_, rts := newSegment(b, 1)
	for b.Loop() {
		ref := mustNew[counter](b, rts[0].Current(), Options{Capacity: mm.MinHeap})
		if err := Destroy(rts[0].Current(), ref); err != nil {
			b.Fatal(err)
		}
	}
}
