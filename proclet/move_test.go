package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/mm"
	"nuos/rack"
)

// move moves a proclet between two runtimes of this process. They share the
// addresses, so the source must be gone before the destination can map them;
// callers who arrive in between wait for the proclet as for any that is moving.
func move(t testing.TB, from, to *Runtime, id ID) {
	t.Helper()
	if err := from.BeginLeave(id, time.Minute); err != nil {
		t.Fatal(err)
	}
	d, err := from.Describe(id)
	if err != nil {
		t.Fatal(err)
	}
	saved := copyOut(d)
	<-from.Depart(id, to.self)
	if err := to.Prepare(d); err != nil {
		t.Fatal(err)
	}
	copyIn(d, saved)
	if err := to.Adopt(id); err != nil {
		t.Fatal(err)
	}
}

func copyOut(d Description) (saved [][]byte) {
	for _, u := range d.Used {
		saved = append(saved, slices.Clone(mm.Bytes(u)))
	}
	return saved
}

func copyIn(d Description, saved [][]byte) {
	for i, u := range d.Used {
		copy(mm.Bytes(u), saved[i])
	}
}

func TestMove(t *testing.T) {
	s, rts := newSegment(t, 3)
	th := rts[0].Current()
	ref := mustNew[counter](t, th, Options{On: rts[0].self, Capacity: 1 << 20})
	want := map[string]int64{}
	for round := range 9 {
		for i := range 200 {
			key := fmt.Sprint("key", i*(round+1)%300)
			want[key]++
			if got, err := Call(rts[i%3].Current(), ref, (*counter).Hit, key); err != nil || got != want[key] {
				t.Fatalf("round %d: Hit(%s) = %d, %v, want %d", round, key, got, err, want[key])
			}
		}
		from := ownerOf(t, th, ref.ID())
		to := rts[(slices.Index(rts, from)+1)%3]
		move(t, from, to, ref.ID())
		i, err := to.Info(ref.ID())
		if err != nil || i.Moves != uint64(round+1) || i.Calls < uint64((round+1)*200) {
			t.Errorf("after move %d: %+v, %v", round+1, i, err)
		}
		if err := to.find(ref.ID()).heap.Check(); err != nil {
			t.Fatal(err)
		}
	}
	// A machine that was away all the time finds it, with the directory's help or
	// from owner to owner.
	for id := range s.machines[rts[1].self].cache {
		s.machines[rts[1].self].cache[id] = rack.Location{Machine: rts[0].self}
	}
	if got, err := Call(rts[1].Current(), ref, (*counter).Hit, "key0"); err != nil || got != want["key0"]+1 {
		t.Errorf("Hit from a machine that knows an old place = %d, %v", got, err)
	}
	if err := Destroy(rts[2].Current(), ref); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the addresses to be returned", func() bool { return s.machines[rts[0].self].leases() == 0 })
}

// waitFor waits for something that other goroutines bring about.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Callers on all machines call on while the proclet goes round.
func TestMoveRacesWithInvocations(t *testing.T) {
	_, rts := newSegment(t, 3)
	ref := mustNew[counter](t, rts[0].Current(), Options{On: rts[0].self, Capacity: 256 << 10})
	var calls atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			key := fmt.Sprint("caller", i)
			for n := int64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := Call(rts[i%3].Current(), ref, (*counter).Hit, key); err != nil || got != n {
					t.Errorf("%s: call %d = %d, %v", key, n, got, err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for i := range 60 {
		target := calls.Load() + 20
		waitFor(t, "calls", func() bool { return calls.Load() >= target || t.Failed() })
		move(t, rts[i%3], rts[(i+1)%3], ref.ID())
	}
	close(stop)
	wg.Wait()
	i, err := rts[0].Info(ref.ID())
	if err != nil || i.Moves != 60 || i.Calls != uint64(calls.Load()) {
		t.Errorf("%+v, %v; %d calls were made", i, err, calls.Load())
	}
	all := uint64(0)
	for _, rt := range rts {
		if rt.Calls() == 0 {
			t.Error("a machine says that there were no calls")
		}
		all += rt.Calls()
	}
	if all != i.Calls {
		t.Errorf("the machines say that there were %d calls, the proclet %d", all, i.Calls)
	}
}

// The answer to a call travels with the proclet: a caller that lost it, because
// the machine that had executed the call died after giving the proclet away,
// gets it from the next owner.
func TestAnswersTravel(t *testing.T) {
	for _, long := range []bool{false, true} {
		s, rts := newSegment(t, 3)
		th := rts[0].Current()
		ref := mustNew[counter](t, th, Options{On: rts[1].self})
		if _, err := Call(th, ref, (*counter).Add, 1); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("%0*d", map[bool]int{false: 5, true: 5000}[long], 1)
		if _, err := Call(th, ref, (*counter).Hit, key); err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		s.around = func(from, to rack.MachineID, msg []byte, deliver func() []byte) (answer []byte, err error) {
			answer = deliver()
			if to == rts[1].self && msg[0] == messageCall {
				once.Do(func() {
					move(t, rts[1], rts[2], ref.ID())
					s.kill(rts[1].self)
					err = &rack.CallError{To: to, Executed: rack.ErrMaybeExecuted, Cause: rack.ErrLost}
				})
			}
			return answer, err
		}
		if long {
			if got, err := Call(th, ref, (*counter).Last, struct{}{}); err != nil || got != key {
				t.Errorf("Last = %d bytes, %v", len(got), err)
			}
		} else if got, err := Call(th, ref, (*counter).Add, 10); err != nil || got != 11 {
			t.Errorf("Add = %d, %v", got, err)
		}
		if i, err := rts[2].Info(ref.ID()); err != nil || i.Calls != 3 {
			t.Errorf("%+v, %v", i, err)
		}
		if got, err := Call(th, ref, (*counter).Add, 0); err != nil || got != map[bool]int64{false: 11, true: 1}[long] {
			t.Errorf("total = %d, %v", got, err)
		}
	}
}

// An answer that is too long to keep is not made up.
func TestAnswersThatAreNotKept(t *testing.T) {
	s, rts := newSegment(t, 3)
	th := rts[0].Current()
	ref := mustNew[counter](t, th, Options{On: rts[1].self, Capacity: 64 << 10})
	if _, err := Call(th, ref, (*counter).Hit, fmt.Sprintf("%010000d", 1)); err != nil {
		t.Fatal(err)
	}
	lost := false
	s.around = func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		answer := deliver()
		if msg[0] == messageCall && !lost {
			lost = true
			return nil, &rack.CallError{To: to, Executed: rack.ErrMaybeExecuted, Cause: rack.ErrUnreachable}
		}
		return answer, nil
	}
	if got, err := Call(th, ref, (*counter).Last, struct{}{}); !errors.Is(err, ErrMaybeExecuted) {
		t.Errorf("Last = %d bytes, %v", len(got), err)
	}
	if i, _ := rts[1].Info(ref.ID()); i.Calls != 2 {
		t.Errorf("%d calls, want 2", i.Calls)
	}
}

// A machine dies with the proclet: those who had sent nothing know that nothing
// was executed, the others that it may have been.
func TestLost(t *testing.T) {
	s, rts := newSegment(t, 2)
	th := rts[0].Current()
	refs := []Ref[counter]{mustNew[counter](t, th, Options{On: rts[1].self}), mustNew[counter](t, th, Options{On: rts[1].self})}
	s.around = func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		deliver()
		s.kill(to)
		return nil, &rack.CallError{To: to, Executed: rack.ErrMaybeExecuted, Cause: rack.ErrLost}
	}
	if _, err := Call(th, refs[0], (*counter).Add, 1); !errors.Is(err, ErrMaybeExecuted) || !errors.Is(err, ErrLost) {
		t.Errorf("call under way: %v", err)
	}
	if _, err := Call(th, refs[1], (*counter).Add, 1); !errors.Is(err, ErrLost) || errors.Is(err, ErrMaybeExecuted) {
		t.Errorf("call after the death: %v", err)
	}
	if _, err := New[counter](th, Options{On: rts[1].self}); err == nil {
		t.Error("New on a dead machine succeeded")
	}
}

// Answers for dead machines are forgotten, and those for living ones that have
// gone idle are as well.
func TestAnswersAreForgotten(t *testing.T) {
	s, rts := newSegment(t, 3)
	ref := mustNew[counter](t, rts[0].Current(), Options{On: rts[0].self})
	empty := emptyHeap[counter](t, rts[0])
	used := func() uint64 {
		i, err := rts[0].Info(ref.ID())
		if err != nil {
			t.Fatal(err)
		}
		return i.Used
	}
	for _, rt := range rts[1:] {
		var fs []*Future[int64]
		for range 40 {
			fs = append(fs, Go(rt.Current(), ref, (*counter).Add, 1))
		}
		for _, f := range fs {
			if _, err := f.Wait(rts[0].Current()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if used() == empty {
		t.Fatal("no answers are kept")
	}
	s.kill(rts[1].self)
	waitFor(t, "the answers to be forgotten", func() bool {
		rts[2].release() // a slot is idle a moment after its call's answer has been handed over
		rts[2].slots.mu.Lock()
		defer rts[2].slots.mu.Unlock()
		return used() == empty && len(rts[2].slots.targets) == 0
	})
}

// A full heap still takes calls that make room.
func TestFullProcletAnswers(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		o.Capacity = 64 << 10
		ref := mustNew[counter](t, th, o)
		full := false
		for i := 0; !full && i < 10000; i++ {
			_, err := Call(th, ref, (*counter).Hit, fmt.Sprint("key number ", i))
			full = errors.Is(err, ErrHeapFull)
			if err != nil && !full {
				t.Fatal(err)
			}
		}
		if !full {
			t.Fatal("never full")
		}
		if n, err := Call(th, ref, (*counter).Add, 3); err != nil || n != 3 {
			t.Errorf("Add in a full proclet = %d, %v", n, err)
		}
		if _, err := Call(th, ref, func(c *counter, t *Thread, _ struct{}) (int, error) {
			c.hits.Clear(t)
			return 0, nil
		}, struct{}{}); err != nil {
			t.Errorf("clearing a full proclet: %v", err)
		}
		if _, err := Call(th, ref, (*counter).Hit, "again"); err != nil {
			t.Error(err)
		}
	})
}

func TestArrivals(t *testing.T) {
	_, rts := newSegment(t, 2)
	a, b := rts[0], rts[1]
	ref := mustNew[counter](t, a.Current(), Options{On: a.self})
	id := ref.ID()
	if err := a.BeginLeave(id, time.Minute); err != nil {
		t.Fatal(err)
	}
	d, err := a.Describe(id)
	if err != nil {
		t.Fatal(err)
	}
	saved := copyOut(d)
	if err := b.Prepare(d); !errors.Is(err, mm.ErrMapped) {
		t.Errorf("Prepare where something is: %v", err)
	}
	<-a.Depart(id, b.self)

	wrong := d
	wrong.Kind += 8
	if err := b.Prepare(wrong); !errors.Is(err, ErrType) {
		t.Errorf("Prepare of no state type: %v", err)
	}
	wrong = d
	wrong.Used = []mm.Range{{Base: mm.Virt(id.Addr), Size: d.Mapped + mm.PageSize}}
	if err := b.Prepare(wrong); !errors.Is(err, mm.ErrHeapRange) {
		t.Errorf("Prepare with too much used: %v", err)
	}
	before := mm.Frames()
	if err := b.Prepare(d); err != nil {
		t.Fatal(err)
	}
	if err := b.Prepare(d); !errors.Is(err, ErrBusy) {
		t.Errorf("second Prepare: %v", err)
	}
	if err := b.Adopt(id); !errors.Is(err, mm.ErrHeapCorrupt) {
		t.Errorf("Adopt without the bytes: %v", err)
	}
	waiting := Go(a.Current(), ref, (*counter).Add, 1)
	b.Discard(id)
	b.Discard(id)
	if after := mm.Frames(); after != before {
		t.Errorf("frames %+v after Prepare and Discard, before %+v", after, before)
	}
	if err := b.Prepare(d); err != nil {
		t.Fatal(err)
	}
	copyIn(d, saved)
	if err := b.Adopt(id); err != nil {
		t.Fatal(err)
	}
	if v, err := waiting.Wait(a.Current()); err != nil || v != 1 {
		t.Errorf("call that waited = %d, %v", v, err)
	}
	if err := b.Adopt(id); !errors.Is(err, ErrNoProclet) {
		t.Errorf("second Adopt: %v", err)
	}
}
