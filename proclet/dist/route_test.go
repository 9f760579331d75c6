package dist

import (
	"math/rand/v2"
	"testing"

	"nuos/proclet"
)

// What a machine knows of the shards, against an array.
func TestRoutes(t *testing.T) {
	random := seeded(t)
	const places = 60
	id := proclet.ID{Addr: 1, Gen: random.Uint64()}
	defer known.forget(id)
	var want [places]extent // zero: nothing is known
	for step := range 5000 {
		low := random.Uint64N(places - 1)
		switch random.IntN(3) {
		case 0: // a few shards that touch each other
			var news []extent
			for high := low; high < places && len(news) < 3; low = high {
				high = min(low+1+random.Uint64N(10), places)
				e := extent{low, high, proclet.ID{Addr: uint64(step), Gen: high}}
				news = append(news, e)
			}
			for i := range want {
				// What overlaps the news is not known any more, also beside them.
				if e := want[i]; e.low < news[len(news)-1].high && e.high > news[0].low {
					want[i] = extent{}
				}
			}
			for _, e := range news {
				for i := e.low; i < e.high; i++ {
					want[i] = e
				}
			}
			learn(id, news)
		case 1:
			gone := want[low]
			for i := range want {
				if want[i] == gone {
					want[i] = extent{}
				}
			}
			unlearn(id, low)
		default:
			if got, ok := lookup(id, low); got != want[low] || ok != (want[low] != extent{}) {
				t.Fatalf("step %d: lookup(%d) = %v, %v, want %v", step, low, got, ok, want[low])
			}
		}
	}
}

// Whatever a machine believes about shards, operations find the right one.
func TestStaleRoutes(t *testing.T) {
	random := seeded(t)
	w := join(t, 2)
	h, err := NewHashTable[uint64, uint64](w.thread(0), Options{Shards: 8})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := proclet.New[hashShard[uint64, uint64]](w.thread(0), proclet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := proclet.Destroy(w.thread(0), gone); err != nil {
		t.Fatal(err)
	}
	shards := shardsOf(t, w.thread(0), h.shards)
	for k := range uint64(400) {
		if k%10 == 0 { // every place is said to be in some shard, or in one that is no more
			lies := append([]extent(nil), shards...)
			for i := range lies {
				lies[i].shard = shards[random.IntN(len(shards))].shard
			}
			lies[random.IntN(len(lies))].shard = gone.ID()
			learn(h.shards.ID(), lies)
		}
		if err := h.Put(w.thread(int(k)), k, k*k); err != nil {
			t.Fatal(err)
		}
		if v, ok, err := h.Get(w.thread(int(k/2)), k/2); v != k/2*(k/2) || !ok || err != nil {
			t.Fatalf("Get(%d) = %d, %v, %v", k/2, v, ok, err)
		}
	}
	sum := func(acc uint64, _, v *uint64) uint64 { return acc + *v }
	if got, err := Reduce(w.thread(1), h, 0, sum, func(a, b uint64) uint64 { return a + b }); got != 399*400*799/6 || err != nil {
		t.Errorf("Reduce = %d, %v", got, err)
	}
	if err := h.Destroy(w.thread(0)); err != nil {
		t.Error(err)
	}
}

// BenchmarkHashTableGet compares Get with a call of the shard.
func BenchmarkHashTableGet(b *testing.B) {
	for name, machine := range map[string]int{"local": 0, "remote": 1} {
		b.Run(name, func(b *testing.B) {
			w := join(b, 2)
			h, err := NewHashTable[uint64, uint64](w.thread(0), Options{Shards: 2})
			if err != nil {
				b.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 1))
			var keys []uint64 // of the one shard on the machine
			var shard proclet.ID
			for _, e := range shardsOf(b, w.thread(0), h.shards) {
				if _, err := w.runtimes[machine].Info(e.shard); err != nil {
					continue
				}
				for shard = e.shard; len(keys) < 100; {
					if k := random.Uint64(); placeOf(k) >= e.low && placeOf(k) < e.high {
						keys = append(keys, k)
					}
				}
			}
			if len(keys) == 0 {
				b.Fatal("no shard there")
			}
			th, ref := w.thread(0), proclet.RefTo[hashShard[uint64, uint64]](shard)
			b.Run("Get", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if _, _, err := h.Get(th, keys[i%len(keys)]); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("Call", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if _, err := proclet.Call(th, ref, (*hashShard[uint64, uint64]).get, keys[i%len(keys)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
