package proclet

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"nuos/mm"
)

// Benchmarks report ratios to what they are built on, measured in the same run.

// tally is a state type with as little to do as possible.
type tally struct{ n int64 }

func (s *tally) Add(t *Thread, n int64) (int64, error) { s.n += n; return s.n, nil }

func (s *tally) Length(t *Thread, v string) (int64, error) { return int64(len(v)), nil }

// meter is a proclet that calls another one.
type meter struct{ _ byte }

// measurement is what a meter measures, in memory of the test, which does not move.
type measurement struct {
	b       *testing.B
	ref     Ref[tally]
	through func(int)
}

func (m *meter) Measure(t *Thread, what uintptr) (int, error) {
	x := (*measurement)(constantAt(what))
	medians(x.b, x.through, func(int) { Call(t, x.ref, (*tally).Add, 1) })
	return 0, nil
}

// MeasureString is Measure with an argument that is copied.
func (m *meter) MeasureString(t *Thread, what uintptr) (int, error) {
	x := (*measurement)(constantAt(what))
	medians(x.b, x.through, func(int) { Call(t, x.ref, (*tally).Length, "requests") })
	return 0, nil
}

// started counts down what is started together, and startTogether is how many.
var started sync.WaitGroup

const startTogether = 64

// MeasureStart compares threads with goroutines, both started by one that waits for
// all of them.
func (m *meter) MeasureStart(t *Thread, what uintptr) (int, error) {
	x := (*measurement)(constantAt(what))
	together := func(start func()) func(int) {
		return func(i int) {
			if i%startTogether == 0 {
				started.Wait()
				started.Add(startTogether)
			}
			start()
			if i%startTogether == startTogether-1 {
				started.Wait()
			}
		}
	}
	medians(x.b, together(func() { go started.Done() }), together(func() {
		if _, err := t.Go(func(*Thread) { started.Done() }); err != nil {
			x.b.Error(err)
		}
	}))
	return 0, nil
}

// BenchmarkStart compares t.Go with go, in batches.
func BenchmarkStart(b *testing.B) {
	_, rts := newSegment(b, 1)
	th := rts[0].Current()
	caller := mustNew[meter](b, th, Options{})
	if _, err := Call(th, caller, (*meter).MeasureStart, uintptr(unsafe.Pointer(&measurement{b: b}))); err != nil {
		b.Fatal(err)
	}
}

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

// medians runs f b.N times and reports the median time of a turn, per call, next to
// that of base and their difference. They take turns, as in ratio.
func medians(b *testing.B, base, f func(i int)) {
	const turn = 3 * startTogether
	times := func(f func(i int)) float64 {
		start := time.Now()
		for i := range turn {
			f(i)
		}
		return float64(time.Since(start)) / turn
	}
	n := b.N/turn + 1
	slow, fast := make([]float64, n), make([]float64, n)
	for i := range n {
		slow[i], fast[i] = times(f), times(base)
	}
	slices.Sort(slow)
	slices.Sort(fast)
	b.ReportMetric(slow[n/2], "ns/call")
	b.ReportMetric(fast[n/2], "ns/base")
	b.ReportMetric(slow[n/2]/fast[n/2], "times-base")
	b.ReportMetric(slow[n/2]-fast[n/2], "ns-over")
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
	caller := mustNew[meter](b, th, Options{})
	between := func(name string, call func(what uintptr) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			if err := call(uintptr(unsafe.Pointer(&measurement{b, ref, through}))); err != nil {
				b.Fatal(err)
			}
		})
	}
	between("between-proclets", func(what uintptr) error {
		_, err := Call(th, caller, (*meter).Measure, what)
		return err
	})
	between("between-proclets-string", func(what uintptr) error {
		_, err := Call(th, caller, (*meter).MeasureString, what)
		return err
	})
	// The thread of a call with an identity, as those of other machines are.
	between("between-proclets-called", func(what uintptr) error {
		_, err := Go(th, caller, (*meter).Measure, what).Wait(th)
		return err
	})
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
