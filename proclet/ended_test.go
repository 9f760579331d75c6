package proclet

import (
	"errors"
	"fmt"
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

			returned := linger(t, rts[test.caller], rts[0], ref)
			move(t, rts[0], rts[1], ref.id)
			r := rts[1].find(ref.id)
			ended := make(chan error, 1)
			go func() { ended <- rts[1].Destroy(ref.id) }()
			waitFor(t, "the end to begin", r.destroying.Load)
			if err := test.arrives(t, r, ended, func() { close(onTheWay) }); err != nil {
				t.Errorf("the end of the proclet: %v", err)
			}
			if err := <-returned; !errors.Is(err, test.want) {
				t.Errorf("the call returned %v, want %v", err, test.want)
			}
		})
	}
}

// A call goes on while its proclet leaves and comes back, and that ends with it. Its
// caller, who is sent after it, sets out when nobody else knows of it any more.
func TestCallerSetsOutWhenTheProcletHasEnded(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 2)
	ref := mustNew[playground](t, rts[0].Current(), Options{On: rts[0].self, Capacity: 1 << 20})
	setOut := make(chan struct{})
	interleaved = func(at string) {
		if at == "a caller is sent after a call" {
			<-setOut
		}
	}
	defer func() { interleaved = nil }()

	got := linger(t, rts[0], rts[0], ref)
	move(t, rts[0], rts[1], ref.id)
	move(t, rts[1], rts[0], ref.id)
	lingering.Store(false)
	if err := rts[0].Destroy(ref.id); err != nil {
		t.Error(err)
	}
	close(setOut)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// One who is sent to a machine that the proclet has not reached yet looks there again, also if
// the directory has forgotten the proclet in the meantime, because it has ended.
func TestCallerIsThereBeforeTheProclet(t *testing.T) {
	needMoves(t)
	for name, tooEarly := range map[string]func(rts []*Runtime) []byte{
		"it has never been there":  func([]*Runtime) []byte { return []byte{answerUnknown} },
		"it has been there before": func(rts []*Runtime) []byte { return movedTo(answerMoved, rack.Location{Machine: rts[0].self}) },
	} {
		t.Run(name, func(t *testing.T) {
			seg, rts := newSegment(t, 3)
			ref := mustNew[playground](t, rts[0].Current(), Options{On: rts[0].self, Capacity: 1 << 20})
			goOn := make(chan struct{})
			early := true // guarded by being one caller
			seg.mu.Lock()
			seg.around = func(from, to rack.MachineID, _ []byte, deliver func() []byte) ([]byte, error) {
				if from == rts[2].self && to == rts[1].self && early {
					early = false
					<-goOn
					return tooEarly(rts), nil
				}
				return deliver(), nil
			}
			seg.mu.Unlock()

			got := linger(t, rts[2], rts[0], ref)
			move(t, rts[0], rts[1], ref.id)
			lingering.Store(false)
			if err := rts[1].Destroy(ref.id); err != nil {
				t.Error(err)
			}
			close(goOn)
			if err := <-got; err != nil {
				t.Error(err)
			}
		})
	}
}

// linger begins a call from a machine to a proclet at another, or the same, that
// is inside until lingering ends, and gives its error.
func linger(t *testing.T, from, at *Runtime, ref Ref[playground]) <-chan error {
	t.Helper()
	lingering.Store(true)
	returned := make(chan error, 1)
	go func() {
		v, err := Call(from.Current(), ref, (*playground).Linger, 7)
		if err == nil && v != 7 {
			err = fmt.Errorf("Linger = %d", v)
		}
		returned <- err
	}()
	waitFor(t, "the call to begin", func() bool { return at.find(ref.id).gate.inside() == 1 })
	return returned
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
