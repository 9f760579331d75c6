package proclet

import (
	"math/rand/v2"
	"testing"
)

// Assign does what it should not: the state does not hold what was assigned.
func (k *keeper) Assign(t *Thread, a keep) (struct{}, error) {
	k.field[a.Slot] = a.Ref
	return struct{}{}, nil
}

// A Ref that was assigned is never given back: neither when it is overwritten or
// dropped, nor when its proclet ends.
func TestAssignedRefs(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	k := mustNew[keeper](t, th, Options{On: rts[1].self})
	ref := mustNew[keeper](t, th, Options{})
	assign := func(slot int, r Ref[keeper]) {
		t.Helper()
		if _, err := Call(th, k, (*keeper).Assign, keep{slot, r}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(slot int, r Ref[keeper]) {
		t.Helper()
		if _, err := Call(th, k, (*keeper).Put, keep{slot, r}); err != nil {
			t.Fatal(err)
		}
	}
	assign(0, ref)
	put(0, Ref[keeper]{})
	wantHolders(t, rts, ref.id, 1)
	assign(0, ref)
	put(0, k)
	wantHolders(t, rts, ref.id, 1)
	assign(1, ref)
	put(1, ref)
	wantHolders(t, rts, ref.id, 2)
	assign(1, Ref[keeper]{}) // loses sight of what it holds
	assign(2, ref)
	wantHolders(t, rts, ref.id, 2)
	if err := Destroy(th, k); err != nil {
		t.Fatal(err)
	}
	wantHolders(t, rts, ref.id, 1)
	Release(th, ref)
	wantHolders(t, rts, ref.id, 0)
}

// Holdings against a map.
func TestHoldings(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	_, rts := newSegment(t, 1)
	r := rts[0].find(mustNew[keeper](t, rts[0].Current(), Options{}).id)
	used := r.heap.Stats().Used
	var x holdings
	want := map[handle]uint64{}
	for range 20000 {
		h := handle{id: ID{1, 1 + rng.Uint64N(300)}}
		if rng.IntN(3) == 0 {
			h.object = objectID{1 + rng.Uint64N(3), rng.Uint64N(3)}
		}
		if rng.IntN(2) == 0 {
			if err := x.add(r.heap, h); err != nil {
				t.Fatal(err)
			}
			want[h]++
		} else if got := x.remove(r.heap, h); got != (want[h] > 0) {
			t.Fatalf("remove = %v with %d", got, want[h])
		} else if got {
			want[h]--
		}
		if x.has(h) != (want[h] > 0) {
			t.Fatalf("has = %v with %d", x.has(h), want[h])
		}
	}
	for i := range x.cap {
		if e := x.at(i); e.n != want[e.of] {
			t.Errorf("%v: %d, want %d", e.of, e.n, want[e.of])
		}
	}
	for h, n := range want {
		for range n {
			if !x.remove(r.heap, h) {
				t.Fatalf("%v is not there", h)
			}
		}
	}
	if now := r.heap.Stats().Used; now != used {
		t.Errorf("%d bytes used, %d before", now, used)
	}
}
