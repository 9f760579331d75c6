package proclet

import (
	"math"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
	"nuos/proclet/internal/fiber"
)

func TestUsage(t *testing.T) {
	var u usage
	near := func(what string, at clock, want float64) {
		t.Helper()
		if got := u.read(at); math.Abs(got-want) > .01 {
			t.Errorf("%s: %.3f processors, want %.2f", what, got, want)
		}
	}
	ms := clock(time.Millisecond)
	for at := clock(0); at <= 1000*ms; at += ms {
		u.add(at, time.Millisecond, 2)
	}
	near("two threads for a second", 1000*ms, 2)
	near("100 ms later", 1100*ms, 2/math.E)
	u.add(11000*ms, 10*time.Second, 1)
	near("one thread for ten seconds, said once", 11000*ms, 1)
	for at := 20000 * ms; at <= 21000*ms; at += ms {
		u.add(at, 10*time.Microsecond, sampledSlices) // one of 32 that take 10 µs
	}
	near("32 slices of 10 µs every ms", 21000*ms, .32)
}

// TestCallers has one machine call three times as often as the other.
func TestCallers(t *testing.T) {
	rts := realRack(t, 2, nictest.Faults{})
	ref := mustNew[counter](t, rts[0].Current(), Options{On: rts[0].self})
	defer Destroy(rts[0].Current(), ref)
	for n := range 8 * sampledSlices * trackedCallers * 4 {
		from := rts[1]
		if n/sampledSlices%4 == 0 { // which is not in step with what is sampled
			from = rts[0]
		}
		if _, err := Call(from.Current(), ref, (*counter).Hit, ""); err != nil {
			t.Fatal(err)
		}
	}
	info, err := rts[0].Info(ref.ID())
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Callers) != 2 || info.Callers[0].Machine != rts[1].self || info.Callers[0].Share < .6 || info.Callers[0].Share > .9 {
		t.Errorf("three of four calls come from machine %d, but it says %+v", rts[1].self, info.Callers)
	}
}

// spins has a thread that computes, without a call, for as long as it is told to.
type spins struct {
	Stop Promise[struct{}]
	Sum  uint64
}

func (s *spins) Spin(t *Thread, _ struct{}) (struct{}, error) {
	_, err := Start(t, (*spins).compute, struct{}{})
	return struct{}{}, err
}

func (s *spins) compute(t *Thread, _ struct{}) {
	for !s.Stop.Kept() {
		for i := range uint64(1000) {
			s.Sum += i
		}
		t.Checkpoint()
	}
}

func (s *spins) End(t *Thread, _ struct{}) (struct{}, error) {
	return struct{}{}, s.Stop.Set(t, struct{}{})
}

// TestLoad has threads compute: their proclet uses processors, and does no more when they have ended.
func TestLoad(t *testing.T) {
	if !fiber.Movable {
		t.Skip("the race detector does not let anybody look at threads that run")
	}
	rts := realRack(t, 1, nictest.Faults{})
	th := rts[0].Current()
	busy, idle := mustNew[spins](t, th, Options{}), mustNew[spins](t, th, Options{})
	defer Destroy(th, busy)
	defer Destroy(th, idle)
	for range 2 {
		if _, err := Call(th, busy, (*spins).Spin, struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	used := func(ref Ref[spins]) float64 {
		for _, l := range rts[0].Loads() {
			if l.ID == ref.ID() {
				return l.Processors
			}
		}
		t.Fatalf("no load of %v", ref.ID())
		return 0
	}
	look := func(what string, so func() bool) {
		waitFor(t, what, func() bool {
			rts[0].LookAtThreads()
			return so()
		})
	}
	least := 1.8
	if alwaysMoving {
		least = .1 // they leave and come back nearly all the time, which is not the proclet's
	}
	look("both threads are seen", func() bool { return used(busy) > least })
	if got := used(idle); got > .01 {
		t.Errorf("a proclet without threads uses %.3f processors", got)
	}
	if got := rts[0].Busy(); got < least*.8 {
		t.Errorf("all proclets together use %.3f processors", got)
	}
	if _, err := Call(th, busy, (*spins).End, struct{}{}); err != nil {
		t.Fatal(err)
	}
	look("the threads are forgotten", func() bool { return used(busy) < .05 })
}

// BenchmarkLookAtThreads is what a look at as many threads costs as are looked at at once.
func BenchmarkLookAtThreads(b *testing.B) {
	rts := realRack(b, 1, nictest.Faults{})
	th := rts[0].Current()
	ref := mustNew[sleeps](b, th, Options{})
	defer Destroy(th, ref)
	if _, err := Call(th, ref, (*sleeps).Begin, 200); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		rts[0].LookAtThreads()
	}
}

type sleeps struct{ _ uint8 }

func (s *sleeps) Begin(t *Thread, n int) (struct{}, error) {
	for range n {
		if _, err := t.Go(func(t *Thread) { t.Sleep(time.Hour) }); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}
