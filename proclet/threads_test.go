package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"nuos/proclet/internal/fiber"
)

// cell is a state type whose methods wait until the test lets them go on.
type cell struct {
	queue  [64]uintptr // of *waiter
	n      int
	log    [8]int64
	other  Ref[cell]
	handle Handle
}

func (c *cell) Link(t *Thread, other Ref[cell]) (struct{}, error) {
	return struct{}{}, c.other.Set(t, other)
}

// pause waits until release.
func (c *cell) pause(t *Thread) { c.pauseWith(t, t.newWaiter()) }

func (c *cell) pauseWith(t *Thread, w *waiter) {
	r := t.runtime().find(t.id)
	r.mu.Lock()
	c.queue[c.n] = uintptr(unsafe.Pointer(w))
	c.n++
	r.mu.Unlock()
	t.freeWaiter(w, t.block(w, never))
}

// wakeAll ends all pauses. Called with r.mu held.
func (c *cell) wakeAll(r *resident) {
	for _, w := range c.queue[:c.n] {
		r.wake((*waiter)(constantAt(w)))
	}
	c.n = 0
}

// paused returns how many threads wait in the proclet.
func paused(rts []*Runtime, ref Ref[cell]) int {
	for _, rt := range rts {
		if r := rt.find(ref.id); r != nil && r.gate.enter(false) {
			defer r.gate.uncount()
			r.mu.Lock()
			defer r.mu.Unlock()
			return (*cell)(r.state).n
		}
	}
	return -1
}

// release lets all threads that are paused go on.
func release(t testing.TB, rts []*Runtime, ref Ref[cell]) {
	t.Helper()
	for _, rt := range rts {
		if r := rt.find(ref.id); r != nil {
			if !r.gate.enter(false) {
				t.Fatal("the gate is closed")
			}
			r.mu.Lock()
			(*cell)(r.state).wakeAll(r)
			r.mu.Unlock()
			r.gate.uncount()
			return
		}
	}
	t.Fatal("the proclet is nowhere")
}

// Compute has everything on its stack that may be there: locals, pointers into the
// heap and into its own frames, deferred functions, a closure, the argument, a
// recursion.
func (c *cell) Compute(t *Thread, words []string) (string, error) {
	local := [4]int{1, 2, 3, 4}
	own := &local[2]
	n, err := c.deep(t, 12, own)
	if err != nil {
		return "", err
	}
	sum := 0
	add := func(k int) { sum += k }
	add(n)
	add(*own)
	var b [64]byte
	out := b[:0]
	for _, w := range words {
		out = append(out, w...)
	}
	out = append(out, byte('0'+sum%10))
	c.log[0] = int64(sum)
	return string(out), nil
}

func (c *cell) deep(t *Thread, n int, own *int) (sum int, err error) {
	defer func() {
		*own += n
		c.log[1]++
	}()
	if n == 0 {
		p := &c.log[6]
		*p = 7
		c.pause(t)
		*p++
		return int(*p), nil
	}
	sum, err = c.deep(t, n-1, own)
	return sum + n, err
}

// A blocked thread moves with everything on its stack, again and again, whoever
// has called it.
func TestBlockedThreadMoves(t *testing.T) {
	needMoves(t)
	for caller := range 3 {
		_, rts := newSegment(t, 3)
		ref := mustNew[cell](t, rts[0].Current(), Options{On: rts[0].self})
		words := []string{"one", "two", "three"}
		f := Go(rts[caller].Current(), ref, (*cell).Compute, words)
		waitFor(t, "the thread to block", func() bool { return paused(rts, ref) == 1 })
		for i := range 7 {
			move(t, rts[i%3], rts[(i+1)%3], ref.ID())
		}
		release(t, rts, ref)
		// 12+...+1 and 8 are 86, own is 3+0+...+12 = 81.
		if got, err := f.Wait(rts[0].Current()); err != nil || got != "onetwothree7" {
			t.Errorf("caller %d: %q, %v", caller, got, err)
		}
		c := (*cell)(ownerOf(t, nil, ref.ID()).find(ref.ID()).state)
		if c.log[0] != 167 || c.log[1] != 13 {
			t.Errorf("log %v", c.log)
		}
	}
}

// Recur calls itself through the other cell, and pauses at the bottom.
func (c *cell) Recur(t *Thread, n int) (sum int64, err error) {
	before := n * n
	mine := &before
	defer func() { c.log[2]++ }()
	if n == 0 {
		c.pause(t)
		return 1, nil
	}
	sum, err = Call(t, c.other, (*cell).Recur, n-1)
	return sum + int64(*mine), err
}

// A recursion through two proclets, on one stack at first, is torn apart by moves
// of either, and comes together again.
func TestRecursionAcrossMachines(t *testing.T) {
	needMoves(t)
	for order := range 4 {
		_, rts := newSegment(t, 3)
		th := rts[0].Current()
		a := mustNew[cell](t, th, Options{On: rts[0].self})
		b := mustNew[cell](t, th, Options{On: rts[0].self})
		for _, l := range [][2]Ref[cell]{{a, b}, {b, a}} {
			if _, err := Call(th, l[0], (*cell).Link, l[1]); err != nil {
				t.Fatal(err)
			}
		}
		const depth = 25 // beyond what fits on a stack
		f := Go(th, a, (*cell).Recur, depth)
		last := []Ref[cell]{a, b}[depth%2]
		waitFor(t, "the recursion to block", func() bool { return paused(rts, last) == 1 })
		switch order {
		case 0:
			move(t, rts[0], rts[1], a.ID())
		case 1:
			move(t, rts[0], rts[1], b.ID())
		case 2:
			move(t, rts[0], rts[1], a.ID())
			move(t, rts[0], rts[2], b.ID())
			move(t, rts[1], rts[2], a.ID())
		case 3:
			move(t, rts[0], rts[2], b.ID())
			move(t, rts[2], rts[1], b.ID())
			move(t, rts[1], rts[0], b.ID())
		}
		release(t, rts, last)
		want := int64(1)
		for n := range depth + 1 {
			want += int64(n * n)
		}
		if got, err := f.Wait(th); err != nil || got != want {
			t.Errorf("order %d: %d, %v, want %d", order, got, err, want)
		}
		if err := Destroy(th, a); err != nil {
			t.Error(err)
		}
		if err := Destroy(th, b); err != nil {
			t.Error(err)
		}
	}
}

// Leap calls the other cell, which ends its thread, and calls again.
func (c *cell) Leap(t *Thread, n int) (int, error) {
	defer func() { c.log[3]++ }()
	if n == 0 {
		runtime.Goexit()
	}
	for range 3 {
		if _, err := Call(t, c.other, (*cell).Leap, n-1); n == 1 && !errors.Is(err, ErrExited) || n > 1 && err != nil {
			return 0, err
		}
	}
	return n, nil
}

// Goexit ends the method that calls it, and not those that have called that one.
func TestGoexitInNestedCall(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		refs := []Ref[cell]{mustNew[cell](t, th, o), mustNew[cell](t, th, o), mustNew[cell](t, th, o)}
		for i, ref := range refs {
			if _, err := Call(th, ref, (*cell).Link, refs[(i+1)%3]); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			if got, err := Call(th, refs[0], (*cell).Leap, 2); err != nil || got != 2 {
				t.Errorf("%d, %v", got, err)
			}
		}
		for i, want := range []int64{3, 9, 27} {
			r := ownerOf(t, nil, refs[i].id).find(refs[i].id)
			waitFor(t, "the calls to have left", func() bool { return r.gate.inside() == 0 })
			if got := (*cell)(r.state).log[3]; got != want {
				t.Errorf("deferred functions of proclet %d ran %d times, want %d", i, got, want)
			}
		}
	})
}

// Fall panics; a deferred function pauses while the panic is in flight.
func (c *cell) Fall(t *Thread, how int) (n int, err error) {
	defer func() {
		if how == 2 {
			recover()
			n = 42
		}
	}()
	defer func() {
		c.pause(t)
		c.log[3]++
	}()
	if how == 0 {
		runtime.Goexit()
	}
	panic("falling")
}

func TestPanicInFlightMoves(t *testing.T) {
	needMoves(t)
	for how := range 3 {
		_, rts := newSegment(t, 2)
		ref := mustNew[cell](t, rts[0].Current(), Options{On: rts[0].self})
		f := Go(rts[1].Current(), ref, (*cell).Fall, how)
		waitFor(t, "the panic to be in flight", func() bool { return paused(rts, ref) == 1 })
		move(t, rts[0], rts[1], ref.ID())
		move(t, rts[1], rts[0], ref.ID())
		release(t, rts, ref)
		got, err := f.Wait(rts[0].Current())
		var p *PanicError
		switch how {
		case 0:
			if !errors.Is(err, ErrExited) {
				t.Errorf("Goexit: %d, %v", got, err)
			}
		case 1:
			if !errors.As(err, &p) || p.Value != "falling" || !strings.Contains(p.Stack, "cell).Fall") {
				t.Errorf("panic: %d, %v", got, err)
			}
		case 2:
			if err != nil || got != 42 {
				t.Errorf("recovered panic: %d, %v", got, err)
			}
		}
	}
}

// Keep keeps a value in Go's heap while it pauses.
func (c *cell) Keep(t *Thread, n int) (string, error) {
	kept := fmt.Sprint("kept ", n)
	c.pause(t)
	return kept, nil
}

// A thread that holds a value in Go's heap refuses the move, says where, and goes
// on; all others as well, those that had left already included.
func TestThreadRefusesToLeave(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	ref := mustNew[cell](t, th, Options{On: rts[0].self})
	var others []*Future[string]
	for range 5 {
		others = append(others, Go(th, ref, (*cell).Compute, []string{"x"}))
	}
	f := Go(th, ref, (*cell).Keep, 5)
	waitFor(t, "the threads to block", func() bool { return paused(rts, ref) == 6 })
	for range 3 {
		err := rts[0].BeginLeave(ref.ID(), time.Minute)
		if !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "cell).Keep") || !strings.Contains(err.Error(), "threads_test.go") {
			t.Errorf("BeginLeave: %v", err)
		}
	}
	if i, err := rts[0].Info(ref.ID()); err != nil || i.Leaving {
		t.Errorf("%+v, %v", i, err)
	}
	release(t, rts, ref)
	if got, err := f.Wait(th); err != nil || got != "kept 5" {
		t.Errorf("%q, %v", got, err)
	}
	for _, f := range others {
		if got, err := f.Wait(th); err != nil || got[0] != 'x' {
			t.Errorf("%q, %v", got, err)
		}
	}
	move(t, rts[0], rts[1], ref.ID())
}

// Guarded pauses under a guard.
func (c *cell) Guarded(t *Thread, _ struct{}) (int, error) {
	t.Unmovable(func() {
		t.Guard()
		c.pause(t)
		t.Unguard()
		c.log[4] = 1
	})
	c.pause(t)
	return int(c.log[4]), nil
}

// A guard that is held too long ends the attempt to move. The next one succeeds.
func TestGuardHeldTooLong(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	ref := mustNew[cell](t, th, Options{On: rts[0].self})
	f := Go(th, ref, (*cell).Guarded, struct{}{})
	waitFor(t, "the thread to block", func() bool { return paused(rts, ref) == 1 })
	if err := rts[0].BeginLeave(ref.ID(), time.Millisecond); !errors.Is(err, ErrBusy) {
		t.Errorf("BeginLeave of a guarded thread: %v", err)
	}
	if fiber.Movable {
		left := make(chan error)
		go func() { left <- rts[0].BeginLeave(ref.ID(), time.Minute) }()
		r := rts[0].find(ref.ID())
		waitFor(t, "the gate to close", r.gate.closed)
		r.mu.Lock()
		(*cell)(r.state).wakeAll(r)
		r.mu.Unlock()
		if err := <-left; err != nil {
			t.Fatal(err)
		}
		rts[0].Reopen(ref.ID())
	} else {
		release(t, rts, ref)
	}
	waitFor(t, "the thread to block again", func() bool { return paused(rts, ref) == 1 })
	release(t, rts, ref)
	if got, err := f.Wait(th); err != nil || got != 1 {
		t.Errorf("%d, %v", got, err)
	}
}
