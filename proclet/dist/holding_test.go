package dist

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/proclet"
)

// stub is a shard without content whose changes fail when they are told to.
type stub struct {
	holding[stub]
}

func (s *stub) start(t *proclet.Thread, o opening) (struct{}, error) {
	s.open(t, o)
	return struct{}{}, nil
}

// attempt is a change, and the step that fails.
type attempt struct {
	merge      bool
	fill, full bool
}

var errAttempt = errors.New("dist: a change that was to fail")

func init() { proclet.RegisterErrors(errAttempt) }

func (s *stub) change(t *proclet.Thread, a attempt) (bool, error) {
	fails := func(yes bool) error {
		if yes {
			return errAttempt
		}
		return nil
	}
	if a.merge {
		return s.merge(t, func(proclet.Ref[stub]) (bool, error) { return !a.full, fails(a.fill && !a.full) },
			func(left proclet.Ref[stub], high uint64) error {
				if a.fill {
					return errAttempt
				}
				_, err := proclet.Call(t, left, (*stub).extend, high)
				return err
			})
	}
	return s.split(t, func() uint64 { return s.low + (s.high-s.low)/2 }, func(to proclet.Ref[stub], o opening) error {
		if a.fill {
			return errAttempt
		}
		_, err := proclet.Call(t, to, (*stub).start, o)
		return err
	})
}

func (s *stub) extend(t *proclet.Thread, high uint64) (struct{}, error) {
	s.setHigh(t, high)
	return struct{}{}, nil
}

// bounds returns the places, and whether something is wrong.
func (s *stub) bounds(t *proclet.Thread, _ struct{}) ([2]uint64, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	if s.changing || s.frozen != endOfPlaces {
		return [2]uint64{}, errors.New("a change is going on")
	}
	return [2]uint64{s.low, s.high}, nil
}

// A change that fails leaves everything as it was, so that the next one succeeds.
func TestChangesThatFail(t *testing.T) {
	w := join(t, 2)
	th := w.thread(0)
	h, err := establish(th, Options{Shards: 2}, (*stub).start)
	if err != nil {
		t.Fatal(err)
	}
	before := w.proclets()
	check := func(want int) {
		t.Helper()
		all := shardsOf(t, th, h.shards)
		if len(all) != want {
			t.Fatalf("%d shards, want %d", len(all), want)
		}
		for _, e := range all {
			got, err := proclet.Call(th, proclet.RefTo[stub](e.shard), (*stub).bounds, struct{}{})
			if err != nil || got != [2]uint64{e.low, e.high} {
				t.Fatalf("a shard from %#x to %#x holds %#x, %v", e.low, e.high, got, err)
			}
		}
		waitFor(t, "shards to end", func() bool { return w.proclets() == before+want-2 })
	}
	steps := []struct {
		shard   int
		attempt attempt
		changed bool
		err     error
		shards  int
	}{
		{0, attempt{fill: true}, false, errAttempt, 2},
		{1, attempt{merge: true, fill: true}, false, errAttempt, 2},
		{1, attempt{merge: true, full: true}, false, nil, 2},
		{0, attempt{merge: true}, false, nil, 2}, // has no left neighbour
		{1, attempt{fill: true}, false, errAttempt, 2},
		{1, attempt{}, true, nil, 3},
		{0, attempt{}, true, nil, 4},
		{2, attempt{merge: true}, true, nil, 3},
		{1, attempt{merge: true}, true, nil, 2},
		{1, attempt{merge: true}, true, nil, 1},
		{0, attempt{}, true, nil, 2},
	}
	for i, step := range steps {
		shard := proclet.RefTo[stub](shardsOf(t, th, h.shards)[step.shard].shard)
		changed, err := proclet.Call(w.thread(i), shard, (*stub).change, step.attempt)
		if changed != step.changed || !errors.Is(err, step.err) {
			t.Fatalf("step %d: %v, %v, want %v, %v", i, changed, err, step.changed, step.err)
		}
		check(step.shards)
	}
	if err := h.Destroy(th); err != nil {
		t.Error(err)
	}
}

// A shard that many wait for is split although it is small.
func TestSplitBecauseOfLoad(t *testing.T) {
	w := join(t, 2)
	h, err := NewHashTable[uint64, int64](w.thread(0), Options{Waiting: 2})
	if err != nil {
		t.Fatal(err)
	}
	var made atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for c := range 12 {
		wg.Go(func() {
			for k := uint64(c); ; k += 12 {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := Apply(w.thread(c), h, k%1000, busy, 1); err != nil {
					t.Error(err)
					return
				}
				made.Add(1)
			}
		})
	}
	waitFor(t, "the table to have four shards", func() bool {
		return t.Failed() || len(shardsOf(t, w.thread(0), h.shards)) >= 4
	})
	close(stop)
	wg.Wait()
	sum := func(acc int64, _ *uint64, v *int64) int64 { return acc + *v }
	if n, err := Reduce(w.thread(1), h, 0, sum, plus); n != made.Load() || err != nil {
		t.Errorf("%d operations were made, but counted were %d, %v", made.Load(), n, err)
	}
	if err := h.Destroy(w.thread(0)); err != nil {
		t.Error(err)
	}
}

// busy takes its time.
func busy(v *int64, _ *proclet.Thread, by int64) (int64, error) {
	for range 20 {
		runtime.Gosched()
	}
	*v += by
	return *v, nil
}
