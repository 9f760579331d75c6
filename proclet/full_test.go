package proclet

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// fill takes all memory of the heap, what is reserved for threads that wait and leave
// included.
func (c *cell) fill(t *Thread) {
	for n := uint64(256); n > 0; {
		p, err := t.heap.AllocReserved(n)
		if err != nil {
			n /= 2
			continue
		}
		*(*int64)(p) = c.log[0]
		c.log[0] = int64(uintptr(p))
	}
}

// makeRoom gives a part of it back.
func (c *cell) makeRoom(r *resident) bool {
	p := constantAt(uintptr(c.log[0]))
	if p == nil {
		return false
	}
	c.log[0] = *(*int64)(p)
	r.heap.Free(p)
	return true
}

// FillAndPause pauses in a full heap.
func (c *cell) FillAndPause(t *Thread, _ struct{}) (int, error) {
	w := t.newWaiter()
	c.fill(t)
	t.Unguard()
	c.pauseWith(t, w)
	return 1, nil
}

// Pause pauses.
func (c *cell) Pause(t *Thread, _ struct{}) (int, error) {
	c.pause(t)
	return 1, nil
}

// FillAndAsk has another cell pause, while its own heap is full.
func (c *cell) FillAndAsk(t *Thread, _ struct{}) (int, error) {
	c.fill(t)
	n, err := Call(t, c.other, (*cell).Pause, struct{}{})
	return n + 1, err
}

// Relay calls another cell that fills its heap and pauses. Until the heap is full the
// thread must not be split, which happens at any time if it is always moving.
func (c *cell) Relay(t *Thread, _ struct{}) (int, error) {
	t.Guard()
	n, err := Call(t, c.other, (*cell).FillAndPause, struct{}{})
	return n + 1, err
}

// A thread cannot leave as long as the heap that it is to be frozen in has no room
// for that, nor the heap that is to know a call by its identity from then on. The move is
// refused, and nothing changes. With enough room it succeeds.
func TestHeapTooFullToFreeze(t *testing.T) {
	needMoves(t)
	const a, b = 0, 1 // a calls b, where the thread pauses
	for name, test := range map[string]struct {
		method       func(*cell, *Thread, struct{}) (int, error)
		full, leaves int
	}{
		"a's, and b leaves": {(*cell).FillAndAsk, a, b},
		"a's, and a leaves": {(*cell).FillAndAsk, a, a},
		"b's, and b leaves": {(*cell).Relay, b, b},
		"b's, and a leaves": {(*cell).Relay, b, a},
	} {
		for caller := range 2 {
			t.Run(fmt.Sprint(name, caller), func(t *testing.T) {
				_, rts := newSegment(t, 2)
				th, o := rts[caller].Current(), Options{On: rts[0].self, Capacity: 128 << 10}
				refs := [2]Ref[cell]{mustNew[cell](t, th, o), mustNew[cell](t, th, o)}
				if _, err := Call(th, refs[a], (*cell).Link, refs[b]); err != nil {
					t.Fatal(err)
				}
				f := Go(th, refs[a], test.method, struct{}{})
				full, id := rts[0].find(refs[test.full].id), refs[test.leaves].id
				for refusals := 0; ; refusals++ {
					waitFor(t, "the thread to pause", func() bool { return paused(rts, refs[b]) == 1 })
					err := rts[0].BeginLeave(id, time.Minute)
					if err == nil && refusals > 0 {
						break
					}
					if !errors.Is(err, ErrHeld) || !errors.Is(err, ErrHeapFull) {
						t.Fatalf("BeginLeave after %d refusals: %v", refusals, err)
					}
					if !(*cell)(full.state).makeRoom(full) {
						t.Fatal("an empty heap is too full")
					}
				}
				rts[0].Reopen(id)
				move(t, rts[0], rts[1], id)
				release(t, rts, refs[b])
				if got, err := f.Wait(th); err != nil || got != 2 {
					t.Errorf("%d, %v", got, err)
				}
			})
		}
	}
}
