package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (c *cell) Begin(t *Thread, how int64) (Handle, error) {
	h, err := Start(t, (*cell).Background, how)
	if err == nil {
		c.handle = h
	}
	return h, err
}

func (c *cell) Background(t *Thread, how int64) {
	switch how {
	case 0:
		c.pause(t)
	case 1:
		t.Sleep(20 * time.Millisecond)
	case 2:
		panic("in the background")
	case 3:
		runtime.Goexit()
	case 4:
		defer func() { c.log[6]++ }()
		for {
			t.Sleep(time.Hour)
		}
	case 5:
		for !stopSpinning.Load() {
			c.log[7]++
			t.Checkpoint()
		}
	}
	c.log[5] += how + 1
}

var stopSpinning atomic.Bool

func (c *cell) Join(t *Thread, h Handle) (bool, error) {
	err := h.Join(t)
	return h.Done(t), err
}

func (c *cell) Plain(t *Thread, _ struct{}) (bool, error) {
	h, err := t.Go(func(t *Thread) { State[cell](t).log[5] = 77 })
	if err != nil {
		return false, err
	}
	n := 1
	if _, err := t.Go(func(t *Thread) { n++ }); !errors.Is(err, ErrMethod) {
		return false, fmt.Errorf("a closure: %v", err)
	}
	return c.log[5] == 77 || h.Join(t) == nil && c.log[5] == 77, nil
}

func TestStartedThreads(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[cell](t, th, o)
		if ok, err := Call(th, ref, (*cell).Plain, struct{}{}); !ok || err != nil {
			t.Errorf("t.Go: %v, %v", ok, err)
		}
		for how := int64(1); how <= 3; how++ {
			h, err := Call(th, ref, (*cell).Begin, how)
			if err != nil || h.ID() == 0 {
				t.Fatal(h, err)
			}
			for range 2 {
				done, err := Call(th, ref, (*cell).Join, h)
				var p *PanicError
				if how == 2 && (!errors.As(err, &p) || p.Value != "in the background") || how != 2 && (err != nil || !done) {
					t.Errorf("Join %d: %v, %v", how, done, err)
				}
			}
		}
		if done, err := Call(th, ref, (*cell).Join, Handle{}); err != nil || !done {
			t.Errorf("Join of no thread: %v, %v", done, err)
		}
	})
}

// Move against the exit of a thread, and against those who join it.
func TestMoveRacesWithExitAndJoin(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 3)
	th := rts[0].Current()
	ref := mustNew[cell](t, th, Options{On: rts[0].self})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var rounds atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				h, err := Call(rts[i%3].Current(), ref, (*cell).Begin, int64(3-3*(i%2))+int64(i%2))
				if err != nil {
					t.Error(err)
					return
				}
				if done, err := Call(rts[i%3].Current(), ref, (*cell).Join, h); err != nil || !done {
					t.Error(done, err)
					return
				}
				rounds.Add(1)
			}
		})
	}
	for i := range 60 {
		target := rounds.Load() + 2
		waitFor(t, "rounds", func() bool { return rounds.Load() >= target || t.Failed() })
		move(t, rts[i%3], rts[(i+1)%3], ref.ID())
	}
	close(stop)
	wg.Wait()
}

// A sleeper wakes on the machine where its proclet is by then, and one that
// computes is stopped at a checkpoint.
func TestSleeperAndRunnerMove(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	ref := mustNew[cell](t, th, Options{On: rts[0].self})
	stopSpinning.Store(false)
	spinner, err := Call(th, ref, (*cell).Begin, 5)
	if err != nil {
		t.Fatal(err)
	}
	sleeper, err := Call(th, ref, (*cell).Begin, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		move(t, rts[i%2], rts[(i+1)%2], ref.ID())
	}
	if _, err := Call(th, ref, (*cell).Join, sleeper); err != nil {
		t.Error(err)
	}
	stopSpinning.Store(true)
	if _, err := Call(th, ref, (*cell).Join, spinner); err != nil {
		t.Error(err)
	}
}

// Destruction ends the threads of a proclet, runs what they have deferred, and
// races with moves.
func TestDestroyEndsThreads(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[cell](t, th, o)
		stopSpinning.Store(false)
		for _, how := range []int64{4, 4, 5, 0} {
			if _, err := Call(th, ref, (*cell).Begin, how); err != nil {
				t.Fatal(err)
			}
		}
		if err := Destroy(th, ref); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMoveRacesWithDestruction(t *testing.T) {
	needMoves(t)
	for i := range 20 {
		_, rts := newSegment(t, 2)
		ref := mustNew[cell](t, rts[0].Current(), Options{On: rts[0].self})
		for _, how := range []int64{4, 0} {
			if _, err := Call(rts[1].Current(), ref, (*cell).Begin, how); err != nil {
				t.Fatal(err)
			}
		}
		f := Go(rts[1].Current(), ref, (*cell).Keep, 1)
		waitFor(t, "the threads to block", func() bool { return paused(rts, ref) == 2 })
		var wg sync.WaitGroup
		wg.Go(func() {
			for range i % 4 {
				runtime.Gosched()
			}
			switch err := rts[0].BeginLeave(ref.ID(), time.Minute); {
			case err == nil:
				rts[0].Reopen(ref.ID())
			case !errors.Is(err, ErrHeld) && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrNoProclet):
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := Destroy(rts[i%2].Current(), ref); err != nil {
				t.Error(err)
			}
		})
		// Destroy waits for the call.
		waitFor(t, "the call to be let go", func() bool {
			r := rts[0].find(ref.ID())
			if r == nil {
				return true
			}
			if r.destroying.Load() && r.gate.enter(true) {
				r.mu.Lock()
				(*cell)(r.state).wakeAll(r)
				r.mu.Unlock()
				r.gate.uncount()
				return true
			}
			return false
		})
		if got, err := f.Wait(rts[0].Current()); err != nil || got != "kept 1" {
			t.Errorf("%q, %v", got, err)
		}
		wg.Wait()
	}
}
