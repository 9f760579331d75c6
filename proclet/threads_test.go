package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"nuos/proclet/internal/fiber"
	"nuos/rack"
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
func (c *cell) pause(t *Thread) {
	w := t.newWaiter()
	r := t.runtime().find(t.id)
	r.mu.Lock()
	c.queue[c.n] = uintptr(unsafe.Pointer(w))
	c.n++
	r.mu.Unlock()
	t.block(w, never)
	t.freeWaiter(w)
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

// Threads that were started.

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

// Calls in both directions between two proclets that move.
func TestMoveRacesWithCallsBothWays(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 3)
	th := rts[0].Current()
	a := mustNew[chainNode](t, th, Options{On: rts[0].self})
	b := mustNew[chainNode](t, th, Options{On: rts[0].self})
	for _, l := range [][2]Ref[chainNode]{{a, b}, {b, a}} {
		if _, err := Call(th, l[0], (*chainNode).Link, l[1]); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var calls atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := i * 2
				ref := []Ref[chainNode]{a, b}[i%2]
				got, err := Call(rts[i%3].Current(), ref, (*chainNode).Steps, n)
				if err != nil || got != n+1 {
					t.Errorf("%d steps: %d, %v", n, got, err)
					return
				}
				calls.Add(1)
			}
		})
	}
	at := [2]int{}
	for i := range 80 {
		target := calls.Load() + 3
		waitFor(t, "calls", func() bool { return calls.Load() >= target || t.Failed() })
		which := i % 2
		next := (at[which] + 1 + i/2%2) % 3
		move(t, rts[at[which]], rts[next], []Ref[chainNode]{a, b}[which].ID())
		at[which] = next
	}
	close(stop)
	wg.Wait()
	for _, ref := range []Ref[chainNode]{a, b} {
		if err := Destroy(th, ref); err != nil {
			t.Error(err)
		}
	}
}

// Steps calls n proclets further and counts them.
func (c *chainNode) Steps(t *Thread, n int) (int, error) {
	if n == 0 {
		return 1, nil
	}
	got, err := Call(t, c.next, (*chainNode).Steps, n-1)
	return got + 1, err
}

// The machine where the upper part of a thread is dies: the lower one learns that
// its call may have been executed.
func TestAgentDies(t *testing.T) {
	needMoves(t)
	for _, late := range []bool{false, true} {
		s, rts := newSegment(t, 3)
		th := rts[2].Current()
		a := mustNew[cell](t, th, Options{On: rts[0].self})
		b := mustNew[cell](t, th, Options{On: rts[0].self})
		if _, err := Call(th, a, (*cell).Link, b); err != nil {
			t.Fatal(err)
		}
		f := Go(th, a, (*cell).Recur, 1)
		waitFor(t, "the callee to block", func() bool { return paused(rts, b) == 1 })
		if late { // the agent dies while the caller is on its way
			leave(t, rts[0], a.ID(), func(d Description) {
				s.kill(rts[0].self)
				arrive(t, rts[1], d)
			}, rts[1])
		} else {
			move(t, rts[0], rts[1], a.ID())
			s.kill(rts[0].self)
		}
		waitFor(t, "the caller to be told", func() bool {
			r := rts[1].find(a.ID())
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, e := range r.head.expectations.buckets {
				if e != nil && e.len != 0 {
					return true
				}
			}
			return false
		})
		// In this process the dead machine's part of the thread is still there, at the
		// addresses that the caller needs.
		release(t, rts, b)
		if got, err := f.Wait(th); !errors.Is(err, ErrMaybeExecuted) || !errors.Is(err, ErrLost) {
			t.Errorf("%d, %v", got, err)
		}
		waitFor(t, "the callee to end", func() bool { return rts[0].find(b.ID()).gate.inside() == 0 })
	}
}

// leave has a proclet leave for another machine, and calls arrive with its bytes.
func leave(t testing.TB, from *Runtime, id ID, then func(Description), to *Runtime) {
	t.Helper()
	if err := from.BeginLeave(id, time.Minute); err != nil {
		t.Fatal(err)
	}
	d, err := from.Describe(id)
	if err != nil {
		t.Fatal(err)
	}
	underway = copyOut(d)
	<-from.Depart(id, to.self)
	then(d)
}

var underway [][]byte

func arrive(t testing.TB, to *Runtime, d Description) {
	t.Helper()
	if err := to.Prepare(d); err != nil {
		t.Fatal(err)
	}
	copyIn(d, underway)
	if err := to.Adopt(d.ID); err != nil {
		t.Fatal(err)
	}
}

// New invocations race with a move that is refused by the destination: they wait,
// and then go in where the proclet was all the time.
func TestInvocationRacesWithRefusedMove(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[1].Current()
	ref := mustNew[counter](t, th, Options{On: rts[0].self})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var calls atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := Call(rts[i%2].Current(), ref, (*counter).Add, 1); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for range 100 {
		target := calls.Load() + 3
		waitFor(t, "calls", func() bool { return calls.Load() >= target || t.Failed() })
		if err := rts[0].BeginLeave(ref.ID(), time.Minute); err != nil {
			t.Error(err)
			break
		}
		if _, err := rts[0].Describe(ref.ID()); err != nil {
			t.Error(err)
		}
		rts[0].Reopen(ref.ID())
	}
	close(stop)
	wg.Wait()
	if got, err := Call(th, ref, (*counter).Add, 0); err != nil || got != calls.Load() {
		t.Errorf("%d of %d calls, %v", got, calls.Load(), err)
	}
}

// Threads are bounded.
func TestTooManyThreads(t *testing.T) {
	_, rts := newSegment(t, 1)
	th := rts[0].Current()
	ref := mustNew[counter](t, th, Options{})
	r := rts[0].find(ref.ID())
	r.gate.count(MaxThreads)
	_, err := Call(th, ref, (*counter).Add, 1)
	remote := failed(err)
	m := callMessage{id: ref.ID(), slot: 1, seq: 1, sig: offsetOf[signature](signatureOf[counter, int64, int64]{})}
	add := (*counter).Add
	m.method, _ = identify(*(**closure)(unsafe.Pointer(&add)))
	answer := rts[0].answer(rack.MachineID(77), append(m.append(nil), 0, 0, 0, 0, 0, 0, 0, 0))
	r.gate.uncountFrozen(MaxThreads)
	if !errors.Is(err, ErrTooManyThreads) {
		t.Errorf("one thread too many: %v", err)
	}
	if string(answer) != string(remote) {
		t.Errorf("one thread too many: %q", answer)
	}
	if got, err := Call(th, ref, (*counter).Add, 1); err != nil || got != 1 {
		t.Errorf("after that: %d, %v", got, err)
	}
}

// What calls return in a Scope is gone with it, and a long loop fits.
func (c *cell) Loop(t *Thread, other Ref[counter]) (int, error) {
	mark, n := t.fiber.Mark(), 0
	for range 1000 {
		var err error
		t.Scope(func() {
			var got string
			if got, err = Call(t, other, (*counter).Last, struct{}{}); err == nil {
				n += len(got)
			}
		})
		if err != nil {
			return 0, err
		}
	}
	if t.fiber.Mark() != mark {
		return 0, errors.New("the arena has grown")
	}
	return n, nil
}

func TestScope(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[cell](t, th, o)
		other := mustNew[counter](t, th, Options{})
		if _, err := Call(th, other, (*counter).Hit, "12345"); err != nil {
			t.Fatal(err)
		}
		if got, err := Call(th, ref, (*cell).Loop, other); err != nil || got != 5000 {
			t.Errorf("%d, %v", got, err)
		}
	})
}

// BenchmarkMoveBlocked moves a proclet with many blocked threads.
func BenchmarkMoveBlocked(b *testing.B) {
	needMoves(b)
	for _, n := range []int{0, 1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, rts := newSegment(b, 2)
			th := rts[0].Current()
			ref := mustNew[playground](b, th, Options{On: rts[0].self, Capacity: 16 << 20})
			if _, err := Call(th, ref, (*playground).startSleepers, n); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for i := range b.N {
				move(b, rts[i%2], rts[1-i%2], ref.ID())
			}
		})
	}
}

func (s *playground) startSleepers(t *Thread, n int) (struct{}, error) {
	for range n {
		if _, err := t.Go(func(t *Thread) { t.Sleep(time.Hour) }); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}
