package proclet

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"nuos/rack"
)

var lingering atomic.Bool

// Linger is inside as long as lingering is set.
func (s *playground) Linger(t *Thread, v int64) (int64, error) {
	for lingering.Load() {
		t.Sleep(100 * time.Microsecond)
	}
	return v, nil
}

// A call goes on after its proclet has moved, and the proclet ends as soon as the
// call has. Its caller has been sent after the proclet, and gets the answer whenever
// he arrives; if that is too late, he does not hear that nothing was executed.
func TestCallerFollowsToWhereTheProcletEnds(t *testing.T) {
	needMoves(t)
	for name, test := range map[string]struct {
		caller  int
		arrives func(t *testing.T, r *resident, ended <-chan error, goOn func()) error
		want    error
	}{
		"a local caller, while the call goes on": {0, arrivesInside, nil},
		"a local caller, at the end":             {0, arrivesAfterwards, nil},
		"a local caller, too late":               {0, arrivesTooLate, ErrMaybeExecuted},
		"a remote one, while the call goes on":   {2, arrivesInside, nil},
		"a remote one, at the end":               {2, arrivesAfterwards, nil},
		"a remote one, too late":                 {2, arrivesTooLate, ErrMaybeExecuted},
	} {
		t.Run(name, func(t *testing.T) {
			seg, rts := newSegment(t, 3)
			ref := mustNew[playground](t, rts[0].Current(), Options{On: rts[0].self, Capacity: 1 << 20})
			onTheWay := make(chan struct{})
			caller := rts[test.caller].self
			seg.mu.Lock()
			seg.around = func(from, to rack.MachineID, _ []byte, deliver func() []byte) ([]byte, error) {
				if from == caller && to == rts[1].self {
					<-onTheWay
				}
				return deliver(), nil
			}
			seg.mu.Unlock()

			lingering.Store(true)
			type result struct {
				v   int64
				err error
			}
			returned := make(chan result, 1)
			go func() {
				v, err := Call(rts[test.caller].Current(), ref, (*playground).Linger, 7)
				returned <- result{v, err}
			}()
			waitFor(t, "the call to begin", func() bool { return rts[0].find(ref.id).gate.inside() == 1 })
			move(t, rts[0], rts[1], ref.id)
			r := rts[1].find(ref.id)
			ended := make(chan error, 1)
			go func() { ended <- rts[1].Destroy(ref.id) }()
			waitFor(t, "the end to begin", r.destroying.Load)
			if err := test.arrives(t, r, ended, func() { close(onTheWay) }); err != nil {
				t.Errorf("the end of the proclet: %v", err)
			}
			got := <-returned
			if !errors.Is(got.err, test.want) || got.err == nil && got.v != 7 {
				t.Errorf("the call returned %d, %v, want error %v", got.v, got.err, test.want)
			}
		})
	}
}

func arrivesInside(t *testing.T, r *resident, ended <-chan error, goOn func()) error {
	defer lingering.Store(false)
	goOn()
	waitFor(t, "the caller to arrive", func() bool {
		r.once.mu.Lock()
		defer r.once.mu.Unlock()
		return len(r.once.asked) != 0
	})
	lingering.Store(false)
	return <-ended
}

func arrivesAfterwards(_ *testing.T, _ *resident, ended <-chan error, goOn func()) error {
	defer goOn()
	lingering.Store(false)
	return <-ended
}

func arrivesTooLate(_ *testing.T, r *resident, ended <-chan error, goOn func()) error {
	defer goOn()
	lingering.Store(false)
	err := <-ended
	r.rt.mu.Lock()
	defer r.rt.mu.Unlock()
	r.rt.unsent = unsentAnswers{}
	return err
}
