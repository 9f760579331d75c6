package proclet

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"nuos/rack"
)

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
				if e != nil && e.len == 0 {
					return false
				}
			}
			return true // perhaps it has gone on since
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
