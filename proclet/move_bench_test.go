package proclet

import (
	"fmt"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"nuos/mm"
)

// BenchmarkMoveBlocked moves a proclet to and fro in which threads wait, and
// reports the median of each phase of the move:
//
//   - leave: from closing the gate until the threads are bytes of the heap
//   - describe: which bytes are to be sent
//   - copy: sending them, which is the floor of a move
//   - map: the destination makes room
//   - adopt: the proclet lives there
//   - wake: all threads run, and wait again; this is no part of the move
//
// Threads "attached" sleep on stacks of their own when the move begins: they are
// woken after each. Those "frozen" have been moved before, and have not run since.
// Those "with-deadline" would give up in an hour.
//
// beyond-ns/thread is leave, describe and adopt, less what they take for a proclet
// without threads that moves in turns with this one. times-copy is all phases of
// the move as a multiple of copying.
func BenchmarkMoveBlocked(b *testing.B) {
	needMoves(b)
	for _, kind := range []struct {
		name   string
		start  func(*playground, *Thread, int) (struct{}, error)
		frozen bool
	}{
		{"attached", (*playground).startBlocked, false},
		{"attached-with-deadline", (*playground).startBlockedFor, false},
		{"frozen", (*playground).startBlocked, true},
		{"frozen-with-deadline", (*playground).startBlockedFor, true},
	} {
		for _, n := range []int{1, 10, 1000} {
			b.Run(fmt.Sprint(kind.name, "/", n), func(b *testing.B) {
				_, rts := newSegment(b, 2)
				empty, full := newMoving(b, rts, kind.start, 0), newMoving(b, rts, kind.start, n)
				full.move()
				if !kind.frozen {
					full.wake()
				}
				*empty.took, *full.took = phases{}, phases{}
				for b.Loop() {
					empty.move()
					full.move()
					if !kind.frozen {
						full.wake()
					}
				}
				full.report(empty)
			})
		}
	}
}

func (s *playground) startBlocked(t *Thread, n int) (struct{}, error) {
	for range n {
		if _, err := t.Go(func(t *Thread) {
			for {
				State[playground](t).permits.Acquire(t, 1)
			}
		}); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

func (s *playground) startBlockedFor(t *Thread, n int) (struct{}, error) {
	for range n {
		if _, err := t.Go(func(t *Thread) {
			for State[playground](t).permits.AcquireFor(t, 1, time.Hour) {
			}
		}); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

// moving is a proclet with n threads that wait, which moves between two machines.
type moving struct {
	b        *testing.B
	from, to *Runtime
	ref      Ref[playground]
	n        int
	sent     []byte
	took     *phases
}

// phases are how long each phase of each move took.
type phases struct{ leave, describe, copy, prepare, adopt, wake []time.Duration }

func newMoving(b *testing.B, rts []*Runtime, start func(*playground, *Thread, int) (struct{}, error), n int) *moving {
	m := &moving{b: b, from: rts[0], to: rts[1], n: n, sent: make([]byte, groundCapacity), took: &phases{}}
	clear(m.sent) // has pages from here on
	th := rts[0].Current()
	m.ref = mustNew[playground](b, th, Options{On: rts[0].self, Capacity: groundCapacity})
	if _, err := Call(th, m.ref, start, n); err != nil {
		b.Fatal(err)
	}
	m.blocked()
	return m
}

// blocked waits until all threads sleep.
func (m *moving) blocked() {
	s := (*playground)(m.from.find(m.ref.id).state)
	running := []metrics.Sample{{Name: "/sched/goroutines/running:goroutines"}, {Name: "/sched/goroutines/runnable:goroutines"}}
	waitFor(m.b, "threads to sleep", func() bool {
		metrics.Read(running)
		// The queue comes last, because looking at it holds those up who are to get there.
		return running[0].Value.Uint64() <= 1 && running[1].Value.Uint64() == 0 && queueLen(&s.permits.latch, &s.permits.queue) == m.n
	})
}

// timed runs one phase.
func timed(took *[]time.Duration, phase func()) {
	start := time.Now()
	phase()
	*took = append(*took, time.Since(start))
}

func (m *moving) move() {
	id := m.ref.id
	must := func(err error) {
		if err != nil {
			m.b.Fatal(err)
		}
	}
	timed(&m.took.leave, func() { must(m.from.BeginLeave(id, time.Minute)) })
	var d Description
	timed(&m.took.describe, func() {
		var err error
		d, err = m.from.Describe(id)
		must(err)
	})
	each := func(do func(part mm.Range, sent []byte)) {
		at := 0
		for _, u := range d.Used {
			do(u, m.sent[at:][:u.Size])
			at += int(u.Size)
		}
	}
	timed(&m.took.copy, func() { each(func(part mm.Range, sent []byte) { copy(sent, mm.Bytes(part)) }) })
	<-m.from.Depart(id, m.to.self)
	timed(&m.took.prepare, func() { must(m.to.Prepare(d)) })
	each(func(part mm.Range, sent []byte) { copy(mm.Bytes(part), sent) })
	timed(&m.took.adopt, func() { must(m.to.Adopt(id)) })
	m.from, m.to = m.to, m.from
}

// wake wakes all threads and waits until they wait again.
func (m *moving) wake() {
	timed(&m.took.wake, func() {
		if _, err := Call(m.from.Current(), m.ref, (*playground).Permit, m.n); err != nil {
			m.b.Fatal(err)
		}
		m.blocked()
	})
}

func (s *playground) Permit(t *Thread, n int) (struct{}, error) {
	s.permits.Release(t, n)
	return struct{}{}, nil
}

func median(ds []time.Duration) float64 {
	if len(ds) == 0 {
		return 0
	}
	slices.Sort(ds)
	return float64(ds[len(ds)/2])
}

// report reports the medians.
func (m *moving) report(empty *moving) {
	p, none := m.took, empty.took
	leave, describe, sent, prepare, adopt := median(p.leave), median(p.describe), median(p.copy), median(p.prepare), median(p.adopt)
	beyond := leave + describe + adopt - median(none.leave) - median(none.describe) - median(none.adopt)
	d := m.from.find(m.ref.id).heap
	bytes := uint64(0)
	for _, u := range d.Used() {
		bytes += u.Size
	}
	m.b.ReportMetric(leave, "leave-ns")
	m.b.ReportMetric(describe, "describe-ns")
	m.b.ReportMetric(sent, "copy-ns")
	m.b.ReportMetric(prepare, "map-ns")
	m.b.ReportMetric(adopt, "adopt-ns")
	m.b.ReportMetric(median(p.wake), "wake-ns")
	m.b.ReportMetric(beyond/float64(m.n), "beyond-ns/thread")
	m.b.ReportMetric((leave+describe+sent+prepare+adopt)/sent, "times-copy")
}
