package proclet

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"nuos/rack"
)

// slowState lets a test hold a call inside.
type slowState struct{ n int }

var slowGo, slowIn = make(chan struct{}), make(chan struct{})

func (s *slowState) Wait(t *Thread, _ struct{}) (int, error) {
	slowIn <- struct{}{}
	<-slowGo
	s.n++
	return s.n, nil
}

// WaitAndReturn waits and then calls its own proclet through another.
func (s *slowState) WaitAndReturn(t *Thread, via Ref[bouncer]) (int, error) {
	slowIn <- struct{}{}
	<-slowGo
	return Call(t, via, (*bouncer).Bounce, Ref[slowState]{t.id})
}

func (s *slowState) Count(t *Thread, _ struct{}) (int, error) { s.n++; return s.n, nil }

type bouncer struct{ _ byte }

func (b *bouncer) Bounce(t *Thread, back Ref[slowState]) (int, error) {
	return Call(t, back, (*slowState).Count, struct{}{})
}

func TestLeaveWaitsAndReopens(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[slowState](t, th, o)
		owner := ownerOf(t, th, ref.ID())
		first := Go(th, ref, (*slowState).Wait, struct{}{})
		<-slowIn
		if err := owner.BeginLeave(ref.ID(), time.Millisecond); !errors.Is(err, ErrBusy) {
			t.Errorf("BeginLeave with a call inside: %v", err)
		}
		left := make(chan error)
		go func() { left <- owner.BeginLeave(ref.ID(), time.Minute) }()
		r := owner.find(ref.ID())
		for !r.gate.closed() {
			runtime.Gosched()
		}
		second := Go(th, ref, (*slowState).Count, struct{}{})
		slowGo <- struct{}{}
		if err := <-left; err != nil {
			t.Fatal(err)
		}
		if v, err := first.Wait(th); err != nil || v != 1 {
			t.Errorf("call inside = %d, %v", v, err)
		}
		select {
		case <-second.Done():
			t.Error("a call got in through a closed gate")
		default:
		}
		if err := owner.BeginLeave(ref.ID(), time.Minute); !errors.Is(err, ErrBusy) {
			t.Errorf("second BeginLeave: %v", err)
		}
		if i, err := owner.Info(ref.ID()); err != nil || !i.Leaving {
			t.Errorf("Info of a leaving proclet: %+v, %v", i, err)
		}
		owner.Reopen(ref.ID())
		if v, err := second.Wait(th); err != nil || v != 2 {
			t.Errorf("call that waited = %d, %v", v, err)
		}
	})
}

// A call that comes back to a proclet that is about to leave gets in, at the
// latest when that has been undone.
func TestComingBackThroughAClosedGate(t *testing.T) {
	for _, far := range []int{0, 1} {
		_, rts := newSegment(t, 2)
		th := rts[0].Current()
		ref := mustNew[slowState](t, th, Options{On: rts[0].self})
		via := mustNew[bouncer](t, th, Options{On: rts[far].self})
		f := Go(th, ref, (*slowState).WaitAndReturn, via)
		<-slowIn
		left := make(chan error, 1)
		go func() {
			left <- rts[0].BeginLeave(ref.ID(), time.Minute)
			rts[0].Reopen(ref.ID())
		}()
		for !rts[0].find(ref.ID()).gate.closed() {
			runtime.Gosched()
		}
		slowGo <- struct{}{}
		if v, err := f.Wait(th); err != nil || v != 1 {
			t.Errorf("call that came back = %d, %v", v, err)
		}
		if err := <-left; err != nil {
			t.Error(err)
		}
	}
}

func TestPinned(t *testing.T) {
	_, rts := newSegment(t, 2)
	ref := mustNew[counter](t, rts[0].Current(), Options{Pinned: true, On: rts[1].self})
	if err := rts[1].BeginLeave(ref.ID(), time.Minute); !errors.Is(err, ErrPinned) {
		t.Errorf("BeginLeave of a pinned proclet: %v", err)
	}
}

// A call that comes again while it is being executed waits for its answer, and
// is not executed twice.
func TestRepeatedCallWaits(t *testing.T) {
	s, rts := newSegment(t, 2)
	ref := mustNew[slowState](t, rts[0].Current(), Options{On: rts[1].self})
	var again atomic.Pointer[[]byte]
	repeated := make(chan []byte)
	s.around = func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		if msg[0] == messageCall {
			again.Store(&msg)
		}
		return deliver(), nil
	}
	f := Go(rts[0].Current(), ref, (*slowState).Wait, struct{}{})
	<-slowIn
	go func() { repeated <- rts[1].answer(rts[0].self, *again.Load()) }()
	o := &rts[1].find(ref.ID()).once
	waitFor(t, "the repeated call to come in", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, asked := range o.asked {
			return len(asked.others) == 1
		}
		return false
	})
	slowGo <- struct{}{}
	if v, err := f.Wait(rts[0].Current()); err != nil || v != 1 {
		t.Errorf("call = %d, %v", v, err)
	}
	if answer := <-repeated; len(answer) != 9 || answer[0] != answerDone || answer[1] != 1 {
		t.Errorf("answer to the repeated call: %v", answer)
	}
	if answer := rts[1].answer(rts[0].self, *again.Load()); len(answer) != 9 || answer[1] != 1 {
		t.Errorf("answer to the call repeated later: %v", answer)
	}
}
