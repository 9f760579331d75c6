package rack

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic/nictest"
)

// TestLatencies compares quantiles with those of the sorted durations.
func TestLatencies(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var l Latencies
	var all []time.Duration
	for range 3000 {
		d := time.Duration(random.Uint64() >> (64 - 11 - random.IntN(25))) // below 2^35 ns
		l.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	sum := time.Duration(0)
	for _, d := range all {
		sum += d
	}
	if l.Sum != sum {
		t.Errorf("Sum = %v, want %v", l.Sum, sum)
	}
	if l.Count() != uint64(len(all)) {
		t.Errorf("Count = %d, want %d", l.Count(), len(all))
	}
	for _, q := range []float64{0, 0.01, 0.5, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := l.Quantile(q); got <= want || got > max(want+want/4+1, 1<<firstOctave) {
			t.Errorf("Quantile(%v) = %v, want %v or a quarter more", q, got, want)
		}
	}
}

// TestLatencyBuckets: every duration is below the end of its bucket and not below the
// end of the one before.
func TestLatencyBuckets(t *testing.T) {
	tests := []time.Duration{-1, 0, 1, 1023, 1024, 1279, 1280, 2047, 2048, 1<<36 - 1, 1 << 36, 1<<63 - 1}
	for i := range LatencyBuckets - 1 {
		tests = append(tests, LatencyEnd(i)-1, LatencyEnd(i), LatencyEnd(i)+1)
	}
	for _, d := range tests {
		b := bucketOf(d)
		last := b == LatencyBuckets-1
		if (d >= LatencyEnd(b) && !last) || b > 0 && d < LatencyEnd(b-1) {
			t.Errorf("%d ns is in bucket %d, which ends at %d and begins at %d", d, b, LatencyEnd(b), LatencyEnd(max(b-1, 0)))
		}
	}
}

func TestLatenciesSince(t *testing.T) {
	var l, none Latencies
	l.add(5 * time.Millisecond)
	before := l
	l.add(time.Second)
	d := l.Since(&before)
	if d.Sum != time.Second || d.Count() != 1 || d.Quantile(0.5) < time.Second {
		t.Errorf("%d since then, about %v; want 1 of 1s", d.Count(), d.Quantile(0.5))
	}
	if none.Count() != 0 || none.Quantile(0.5) != 0 {
		t.Errorf("of none: %d, %v", none.Count(), none.Quantile(0.5))
	}
	if before.merge(&d); before != l {
		t.Errorf("merged: %v, want %v", before, l)
	}
}

// TestLatenciesOfCalls: calls of programs are counted, once, with the time that the handler
// took, and are so still when the peer is gone.
func TestLatenciesOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pair(t, nictest.Options{}, nictest.Faults{})
		slow := func(q Request) {
			time.Sleep(time.Second)
			q.Reply(nil)
		}
		b.handle(ServiceUser, handler{slow, false})
		b.handle(ServiceMigrate, handler{slow, false})
		for _, service := range []Service{ServiceUser, ServiceMigrate, ServiceUser} {
			if _, err := a.to(b).call(t.Context(), service, nil); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string) {
			l := a.latencies()
			if l.Count() != 2 || l.Sum < 2*time.Second || l.Sum > 3*time.Second || l.Quantile(0) < time.Second {
				t.Errorf("%s: %d calls, %v, the quickest within %v; want 2 of a second each", when, l.Count(), l.Sum, l.Quantile(0))
			}
		}
		check("afterwards")
		s := a.to(b)
		a.fence(b.nonce, b.mac, b.port.Addr().Addr())
		check("after the peer's death")
		a.remove(s, ErrLost)
		check("after its second death")
	})
}
