package proclet

import (
	"errors"
	"testing"
	"time"
)

// door is a lock that somebody holds until he is told to let it go.
type door struct {
	mu   Mutex
	open Semaphore
}

func (d *door) Hold(t *Thread, _ struct{}) (struct{}, error) {
	d.mu.Lock(t)
	d.open.Acquire(t, 1)
	d.mu.Unlock(t)
	return struct{}{}, nil
}

func (d *door) Pass(t *Thread, _ struct{}) (struct{}, error) {
	d.mu.Lock(t)
	d.mu.Unlock(t)
	return struct{}{}, nil
}

func (d *door) Open(t *Thread, _ struct{}) (struct{}, error) {
	d.open.Release(t, 1)
	return struct{}{}, nil
}

// impatient waits for a call for some time only, and goes through the door then.
type impatient struct{}

func (*impatient) Enter(t *Thread, d Ref[door]) (bool, error) {
	_, err := CallWithin(t, time.Second, d, (*door).Hold, struct{}{})
	late := errors.Is(err, ErrDeadline)
	_, err = Call(t, d, (*door).Pass, struct{}{})
	return late, err
}

// A thread was divided, and its lower part goes on before the upper one has ended. It
// waits, then, for what the upper one has, which comes to the same machine, where only
// one of them has room.
func TestPartsTakeTurns(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 2)
	th := rts[1].Current()
	d := mustNew[door](t, th, Options{On: rts[0].self, Capacity: 1 << 20})
	who := mustNew[impatient](t, th, Options{On: rts[0].self, Capacity: 1 << 20})
	f := Go(th, who, (*impatient).Enter, d)
	r := rts[0].find(d.id)
	waitFor(t, "the door to be held", func() bool { return queueLen(&(*door)(r.state).open.latch, &(*door)(r.state).open.queue) == 1 })
	move(t, rts[0], rts[1], d.id)
	move(t, rts[1], rts[0], d.id)
	r = rts[0].find(d.id)
	waitFor(t, "the lower part to wait", func() bool { return queueLen(&(*door)(r.state).mu.latch, &(*door)(r.state).mu.queue) == 1 })
	if _, err := Call(th, d, (*door).Open, struct{}{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "both to end", func() bool {
		select {
		case <-f.Done():
			return true
		default:
			return false
		}
	})
	if late, err := f.Wait(th); !late || err != nil {
		t.Errorf("late: %v, %v", late, err)
	}
}
