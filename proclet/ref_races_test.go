package proclet

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/mm"
	"nuos/rack"
)

// A change of a count takes effect once, although the machine that has made it
// dies, after it has given the proclet away, before its answer arrives.
func TestCountsOnce(t *testing.T) {
	for _, op := range []string{"retain", "release"} {
		t.Run(op, func(t *testing.T) {
			s, rts := newSegment(t, 3)
			th := rts[0].Current()
			ref := mustNew[keeper](t, th, Options{On: rts[1].self})
			for range 5 {
				if _, err := ref.Clone(th); err != nil {
					t.Fatal(err)
				}
			}
			var once sync.Once
			s.around = func(from, to rack.MachineID, msg []byte, deliver func() []byte) (answer []byte, err error) {
				answer = deliver()
				if to == rts[1].self && msg[0] == messageCount {
					once.Do(func() {
						move(t, rts[1], rts[2], ref.ID())
						s.kill(rts[1].self)
						err = &rack.CallError{To: to, Executed: rack.ErrMaybeExecuted, Cause: rack.ErrLost}
					})
				}
				return answer, err
			}
			want := uint64(7)
			if op == "retain" {
				if _, err := ref.Clone(th); err != nil {
					t.Fatal(err)
				}
			} else {
				if err := Release(th, ref); err != nil {
					t.Fatal(err)
				}
				want = 5
			}
			wantHolders(t, rts, ref.id, want)
		})
	}
}

// When it is not known whether a count has been acquired, it is given back as
// soon as it is known that it has.
func TestUncertainRetain(t *testing.T) {
	s, rts := newSegment(t, 2)
	th := rts[0].Current()
	ref := mustNew[keeper](t, th, Options{On: rts[1].self})
	var lose atomic.Bool
	lose.Store(true)
	s.around = func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		answer := deliver()
		if msg[0] == messageCount && lose.Load() {
			return nil, &rack.CallError{To: to, Executed: rack.ErrMaybeExecuted, Cause: context.DeadlineExceeded}
		}
		return answer, nil
	}
	if _, err := ref.Clone(th); !errors.Is(err, ErrMaybeExecuted) {
		t.Fatal(err)
	}
	if n := holdersOf(rts, ref.id); n != 2 {
		t.Errorf("%d holders, want 2", n)
	}
	lose.Store(false)
	wantHolders(t, rts, ref.id, 1)
}

// What a machine holds that dies is held for ever; what is on its way to it, too.
func TestDeadHolder(t *testing.T) {
	s, rts := newSegment(t, 3)
	ref := mustNew[keeper](t, rts[0].Current(), Options{On: rts[1].self})
	if _, err := ref.Clone(rts[2].Current()); err != nil {
		t.Fatal(err)
	}
	s.kill(rts[2].self)
	if err := Release(rts[0].Current(), ref); err != nil {
		t.Fatal(err)
	}
	wantHolders(t, rts, ref.id, 1)
	if err := Destroy(rts[0].Current(), ref); err != nil {
		t.Fatal(err)
	}
	if n := closesOf(ref.id); n != 1 {
		t.Errorf("Close was called %d times", n)
	}
}

// The last holder gives a proclet back while it moves: it ends once, wherever it
// is by then, and the frames of both machines are free.
func TestReleaseRacesWithMove(t *testing.T) {
	_, rts := newSegment(t, 3)
	frames := mm.Frames()
	for i := range 60 {
		from, to := rts[i%3], rts[(i+1)%3]
		holder := rts[i/3%3].Current()
		ref := mustNew[keeper](t, holder, Options{On: from.self, Capacity: 64 << 10})
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Go(func() {
			<-start
			if err := Release(holder, ref); err != nil {
				t.Error(err)
			}
		})
		close(start)
		if i%2 == 0 {
			runtime.Gosched()
		}
		tryMove(t, from, to, ref.id)
		wg.Wait()
		wantHolders(t, rts, ref.id, 0)
		waitFor(t, "all frames to be free", func() bool { return mm.Frames() == frames })
		if n := closesOf(ref.id); n != 1 {
			t.Fatalf("Close was called %d times", n)
		}
	}
}

// tryMove moves a proclet unless it ends meanwhile, or a thread in it cannot leave.
func tryMove(t *testing.T, from, to *Runtime, id ID) {
	t.Helper()
	switch err := from.BeginLeave(id, 0); {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrHeld), errors.Is(err, ErrNoProclet):
		return
	case err != nil:
		t.Fatal(err)
	}
	d, err := from.Describe(id)
	if err != nil {
		t.Fatal(err)
	}
	if rand.IntN(4) == 0 {
		from.Reopen(id)
		return
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

// The machine that was about to end a proclet dies when it has given it away: the
// next one ends it.
func TestUnusedIsAdopted(t *testing.T) {
	s, rts := newSegment(t, 3)
	ref := mustNew[keeper](t, rts[0].Current(), Options{On: rts[1].self})
	if err := rts[1].BeginLeave(ref.id, 0); err != nil {
		t.Fatal(err)
	}
	rts[1].find(ref.id).head.refs.release(1) // as a release just before the gate closed
	d, err := rts[1].Describe(ref.id)
	if err != nil {
		t.Fatal(err)
	}
	saved := copyOut(d)
	<-rts[1].Depart(ref.id, rts[2].self)
	s.kill(rts[1].self)
	if err := rts[2].Prepare(d); err != nil {
		t.Fatal(err)
	}
	copyIn(d, saved)
	if err := rts[2].Adopt(ref.id); err != nil {
		t.Fatal(err)
	}
	wantHolders(t, rts, ref.id, 0)
	if n := closesOf(ref.id); n != 1 {
		t.Errorf("Close was called %d times", n)
	}
}

// Several machines upgrade Weaks while the last holder gives the proclet back.
// Each gets a Ref with which a call works, or ErrNoProclet.
func TestUpgradeRacesWithRelease(t *testing.T) {
	_, rts := newSegment(t, 3)
	var upgraded, refused atomic.Int64
	for i := range 100 {
		holder := rts[i%3].Current()
		ref := mustNew[keeper](t, holder, Options{Capacity: 64 << 10})
		w := ref.Weak()
		start := make(chan struct{})
		var wg sync.WaitGroup
		for _, rt := range rts {
			wg.Go(func() {
				<-start
				r, err := w.Upgrade(rt.Current())
				if errors.Is(err, ErrNoProclet) {
					refused.Add(1)
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				upgraded.Add(1)
				if _, err := Call(rt.Current(), r, (*keeper).Get, 0); err != nil {
					t.Errorf("call with an upgraded Weak: %v", err)
				}
				if err := Release(rt.Current(), r); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		if i%2 == 0 {
			runtime.Gosched()
		}
		if err := Release(holder, ref); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		wantHolders(t, rts, ref.id, 0)
		if n := closesOf(ref.id); n != 1 {
			t.Fatalf("Close was called %d times", n)
		}
	}
	t.Logf("%d upgraded, %d refused", upgraded.Load(), refused.Load())
}

// A Ref goes through a third machine, and is stored behind it, while its proclet
// moves.
func TestPassWhileMoving(t *testing.T) {
	_, rts := newSegment(t, 3)
	th := rts[0].Current()
	second := mustNew[keeper](t, th, Options{On: rts[1].self})
	third := mustNew[keeper](t, th, Options{On: rts[2].self})
	for i := range 50 {
		ref := mustNew[keeper](t, th, Options{On: rts[i%3].self, Capacity: 64 << 10})
		f := Go(th, second, (*keeper).Pass, pass{Via: []Ref[keeper]{third, second, third}, Ref: ref, Put: keep{Slot: i % keeperSlots}})
		for j := range 3 {
			move(t, rts[(i+j)%3], rts[(i+j+1)%3], ref.id)
		}
		got, err := f.Wait(th)
		if err != nil || got != ref {
			t.Fatal(got, err)
		}
		again, err := f.Wait(th)
		if err != nil || again != ref {
			t.Fatal(again, err)
		}
		wantHolders(t, rts, ref.id, 4) // ours, third's, and what Wait has returned
		for range 3 {
			if err := Release(th, ref); err != nil {
				t.Fatal(err)
			}
		}
		wantHolders(t, rts, ref.id, 1)
		if _, err := Call(th, third, (*keeper).Put, keep{Slot: i % keeperSlots}); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, ref.id, 0)
	}
}

// Ordinary goroutines of all machines do everything at once, with proclets that
// move. What they hold is exact in the end.
func TestRefsConcurrently(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	_, rts := newSegment(t, 3)
	frames := mm.Frames()
	var all []Ref[keeper]
	for i := range 4 {
		all = append(all, mustNew[keeper](t, rts[0].Current(), Options{On: rts[i%3].self, Capacity: 256 << 10}))
	}
	var wg sync.WaitGroup
	var did atomic.Int64
	for i := range 6 {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		th := rts[i%3].Current()
		wg.Go(func() {
			var own []Ref[keeper]
			for range 300 {
				did.Add(1)
				k, r := all[rng.IntN(4)], all[rng.IntN(4)]
				var err error
				var got Ref[keeper]
				switch rng.IntN(6) {
				case 0:
					got, err = r.Clone(th)
				case 1:
					_, err = Call(th, k, (*keeper).Put, keep{rng.IntN(keeperSlots), r})
				case 2:
					_, err = Call(th, k, (*keeper).Put, keep{Slot: rng.IntN(keeperSlots)})
				case 3:
					got, err = Call(th, k, (*keeper).Get, rng.IntN(keeperSlots))
				case 4:
					var e everything
					e, err = Call(th, k, (*keeper).All, struct{}{})
					own = append(own, e.all()...)
				case 5:
					got, err = Call(th, k, (*keeper).Make, rts[rng.IntN(3)].self)
				}
				if err != nil {
					t.Error(err)
				}
				if !got.IsZero() {
					own = append(own, got)
				}
				for len(own) > 5 {
					if err := Release(th, own[0]); err != nil {
						t.Error(err)
					}
					own = own[1:]
				}
			}
			for _, r := range own {
				if err := Release(th, r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()
	for i := 0; ; i++ {
		select {
		case <-stopped:
		default:
			r := all[i%4]
			from := ownerOf(t, nil, r.id)
			for _, to := range rts {
				if to != from {
					tryMove(t, from, to, r.id)
					break
				}
			}
			runtime.Gosched()
			continue
		}
		break
	}
	for _, r := range all {
		want := uint64(1)
		for _, k := range all {
			for _, rt := range rts {
				if res := rt.find(k.id); res != nil {
					for slot := range keeperSlots {
						if (*keeper)(res.state).get(slot) == r {
							want++
						}
					}
				}
			}
		}
		wantHolders(t, rts, r.id, want)
	}
	for _, r := range all {
		if err := Destroy(rts[0].Current(), r); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "all frames to be free", func() bool { return mm.Frames() == frames })
}

func TestNear(t *testing.T) {
	_, rts := newSegment(t, 3)
	for i, rt := range rts {
		ref := mustNew[keeper](t, rts[0].Current(), Options{On: rt.self})
		if i == 1 {
			move(t, rts[1], rts[2], ref.id)
			rt = rts[2]
		}
		for _, th := range []*Thread{rts[0].Current(), rts[1].Current()} {
			near := mustNew[keeper](t, th, Options{Near: ref})
			if rt.find(near.id) == nil {
				t.Errorf("%v is not where %v is", near.id, ref.id)
			}
			weak := mustNew[keeper](t, th, Options{Near: ref.Weak()})
			if rt.find(weak.id) == nil {
				t.Errorf("%v is not where %v is", weak.id, ref.id)
			}
		}
	}
	if _, err := New[keeper](rts[0].Current(), Options{Near: Ref[keeper]{}}); err != nil {
		t.Errorf("near nothing: %v", err)
	}
}

// A machine that leaves gives back what its goroutines hold.
func TestSettle(t *testing.T) {
	_, rts := newSegment(t, 2)
	ref := mustNew[keeper](t, rts[0].Current(), Options{On: rts[1].self})
	for range 3 {
		if _, err := ref.Clone(rts[0].Current()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ref.Clone(rts[1].Current()); err != nil {
		t.Fatal(err)
	}
	if err := rts[0].Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := holdersOf(rts, ref.id); n != 1 {
		t.Errorf("%d holders, want 1", n)
	}
}

// A future that nobody waits for gives back what its result holds.
func TestForgottenFuture(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	k := mustNew[keeper](t, th, Options{On: rts[1].self})
	ref := mustNew[keeper](t, th, Options{})
	if _, err := Call(th, k, (*keeper).Put, keep{Slot: 0, Ref: ref}); err != nil {
		t.Fatal(err)
	}
	func() { <-Go(th, k, (*keeper).Get, 0).Done() }()
	waitFor(t, "the future to be collected", func() bool {
		runtime.GC()
		return holdersOf(rts, ref.id) == 2
	})
}
