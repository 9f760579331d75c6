package proclet

import (
	"errors"
	"slices"
	"testing"

	"nuos/mm"
)

// AskTwice calls the other cell, which pauses twice.
func (c *cell) AskTwice(t *Thread, _ struct{}) (int, error) {
	return Call(t, c.other, (*cell).PauseTwice, struct{}{})
}

func (c *cell) PauseTwice(t *Thread, _ struct{}) (int, error) {
	c.pause(t)
	c.pause(t)
	return 2, nil
}

// The machine that asks for the answer of a thread's upper part dies, so the lower part
// ends, and another machine has the region for new threads. Then the upper part
// arrives there and occupies it. New threads run elsewhere until it has ended.
func TestOrphanOccupiesRegion(t *testing.T) {
	needMoves(t)
	s, rts := newSegment(t, 2)
	th := rts[1].Current()
	a := mustNew[cell](t, th, Options{On: rts[0].self})
	b := mustNew[cell](t, th, Options{On: rts[0].self})
	if _, err := Call(th, a, (*cell).Link, b); err != nil {
		t.Fatal(err)
	}
	f := Go(th, a, (*cell).AskTwice, struct{}{})
	waitFor(t, "the callee to block", func() bool { return paused(rts, b) == 1 })
	region := (*waiter)(constantAt((*cell)(rts[0].find(b.id).state).queue[0])).thread.fiber.Region()
	pooled := func() bool {
		rts[1].regions.mu.Lock()
		defer rts[1].regions.mu.Unlock()
		return slices.Contains(rts[1].regions.free, region)
	}
	move(t, rts[0], rts[1], a.id)
	leave(t, rts[0], b.id, func(d Description) {
		s.kill(rts[0].self)
		if got, err := f.Wait(th); !errors.Is(err, ErrMaybeExecuted) || !errors.Is(err, ErrLost) {
			t.Errorf("%d, %v", got, err)
		}
		waitFor(t, "the lower part to give the region back", pooled)
		arrive(t, rts[1], d)
	}, rts[1])

	release(t, rts, b)
	waitFor(t, "the upper part to be in the region", func() bool { return paused(rts, b) == 1 })
	// All other regions of the machine are in use.
	rts[1].regions.mu.Lock()
	rts[1].regions.free = slices.DeleteFunc(rts[1].regions.free, func(r mm.Range) bool { return r != region })
	rts[1].regions.mu.Unlock()
	for range 3 {
		if _, err := Call(th, b, (*cell).Link, a); err != nil {
			t.Error(err)
		}
	}
	if !pooled() {
		t.Error("the region is lost")
	}
	release(t, rts, b)
	r := rts[1].find(b.id)
	waitFor(t, "the upper part to end", func() bool { return r.gate.inside() == 0 })
}
