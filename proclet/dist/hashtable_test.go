package dist

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"nuos/proclet"
)

// small are options with which structures split and merge soon.
var small = Options{ShardBytes: 32 << 10}

type textTable = HashTable[proclet.String, proclet.String]

// contents returns what is in a table.
func contents(t testing.TB, th *proclet.Thread, h textTable) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries := h.Entries(th)
	for k, v := range entries.All() {
		if _, twice := all[k.String()]; twice {
			t.Errorf("%v was given twice", k)
		}
		all[k.String()] = v.String()
	}
	if err := entries.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func shardsOf[S any](t testing.TB, th *proclet.Thread, shards proclet.Ref[shardMap[S]]) []extent {
	t.Helper()
	all, err := proclet.Call(th, shards, (*shardMap[S]).list, listing{0, maxShards})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestHashTableAgainstGo(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	before := w.proclets()
	h, err := NewHashTable[proclet.String, proclet.String](w.thread(0), small)
	if err != nil {
		t.Fatal(err)
	}
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	want := map[string]string{}
	most := 0
	const steps = 12000
	for step := range steps {
		th := w.thread(step)
		k := fmt.Sprint("key", random.IntN(2000))
		deleting := step > steps/2 // the second half deletes more than it puts
		switch op := random.IntN(10); {
		case op < 6 && !deleting || op < 1:
			v := strings.Repeat("v", random.IntN(300)) + k
			if err := h.Put(th, proclet.View(k), proclet.View(v)); err != nil {
				t.Fatal(err)
			}
			want[k] = v
		case op < 7 && deleting || op < 7 && op >= 6:
			_, there := want[k]
			if got, err := h.Delete(th, proclet.View(k)); err != nil || got != there {
				t.Fatalf("Delete(%s) = %v, %v, want %v", k, got, err, there)
			}
			delete(want, k)
		default:
			v, there := want[k]
			if got, ok, err := h.Get(th, proclet.View(k)); err != nil || ok != there || got.String() != v {
				t.Fatalf("Get(%s) = %v, %v, %v, want %q, %v", k, got, ok, err, v, there)
			}
		}
		if step%1000 == 999 {
			n := len(shardsOf(t, th, h.shards))
			most = max(most, n)
			got := contents(t, th, h)
			if len(got) != len(want) {
				t.Errorf("step %d: %d entries, want %d", step, len(got), len(want))
			}
			for k, v := range want {
				if got[k] != v {
					t.Fatalf("step %d: %s = %q, want %q", step, k, got[k], v)
				}
			}
			if n, err := h.Len(th); err != nil || n != len(want) {
				t.Errorf("Len = %d, %v, want %d", n, err, len(want))
			}
		}
	}
	for k := range want {
		if ok, err := h.Delete(w.thread(1), proclet.View(k)); !ok || err != nil {
			t.Fatalf("Delete(%s) = %v, %v", k, ok, err)
		}
	}
	least := len(shardsOf(t, w.thread(0), h.shards))
	moves := stop()
	t.Logf("%d moves; at most %d shards, %d at the end", moves, most, least)
	if moves < 20 || most < 8 || least > most/2 {
		t.Errorf("%d moves, at most %d shards, %d at the end; want 20, 8, and half of them", moves, most, least)
	}
	if err := h.Destroy(w.thread(2)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Get(w.thread(0), proclet.View("key1")); !errors.Is(err, proclet.ErrNoProclet) {
		t.Errorf("Get after Destroy: %v", err)
	}
	waitFor(t, "the proclets of the table to end", func() bool { return w.proclets() == before })
}

// counts is the value of entries that are applied to.
type counts struct {
	n    int64
	last proclet.String
}

// Add is applied at the shard.
func (c *counts) Add(t *proclet.Thread, by string) (int64, error) {
	if by == "" {
		return 0, proclet.ErrNoName // some registered error
	}
	c.n++
	return c.n, c.last.Set(t, by)
}

// Many clients on all machines count, while shards split because of size and load,
// and everything moves. Each count must be made exactly once.
func TestHashTableCountsExactly(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	h, err := NewHashTable[uint64, counts](w.thread(0), Options{ShardBytes: 24 << 10, Waiting: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Destroy(w.thread(0))
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	const clients, each, keys = 8, 400, 500
	made := make([]map[uint64]int64, clients)
	var wg sync.WaitGroup
	for c := range clients {
		made[c] = map[uint64]int64{}
		random := rand.New(rand.NewPCG(random.Uint64(), uint64(c)))
		wg.Go(func() {
			th := w.thread(c)
			for range each {
				k := random.Uint64N(keys)
				n, err := Apply(th, h, k, (*counts).Add, strings.Repeat("x", 1+random.IntN(100)))
				made[c][k]++
				if err != nil || n < made[c][k] {
					t.Errorf("Add(%d) = %d, %v, and this client has made %d", k, n, err, made[c][k])
					return
				}
			}
		})
	}
	// Reductions in between see something between nothing and all.
	sum := func(acc int64, _ *uint64, v *counts) int64 { return acc + v.n }
	plus := func(a, b int64) int64 { return a + b }
	wg.Go(func() {
		for last := int64(0); last < clients*each && !t.Failed(); {
			n, err := Reduce(w.thread(1), h, 0, sum, plus)
			if err != nil || n < last || n > clients*each {
				t.Errorf("Reduce = %d, %v after %d", n, err, last)
				return
			}
			last = n
		}
	})
	wg.Wait()
	want := map[uint64]int64{}
	for _, m := range made {
		for k, n := range m {
			want[k] += n
		}
	}
	for k, n := range want {
		if got, ok, err := h.Get(w.thread(int(k)), k); err != nil || !ok || got.n != n || got.last.Len() == 0 {
			t.Errorf("%d was counted %d times, %v, %v; want %d", k, got.n, ok, err, n)
		}
	}
	if n, err := Reduce(w.thread(2), h, 0, sum, plus); err != nil || n != clients*each {
		t.Errorf("Reduce = %d, %v, want %d", n, err, clients*each)
	}
	n := len(shardsOf(t, w.thread(0), h.shards))
	if moves := stop(); n < 3 || moves < 5 {
		t.Errorf("%d shards, %d moves", n, moves)
	}
}

// The error of an applied function is not taken for one of the call, and leaves
// no new entry behind.
func TestApplyFails(t *testing.T) {
	w := join(t, 2)
	th := w.thread(0)
	h, err := NewHashTable[uint64, counts](th, Options{Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Destroy(th)
	for k := range uint64(8) {
		if _, err := Apply(th, h, k, (*counts).Add, ""); !errors.Is(err, proclet.ErrNoName) || err.Error() != proclet.ErrNoName.Error() {
			t.Errorf("Apply = %v", err)
		}
		_, err := Apply(th, h, k, func(*counts, *proclet.Thread, string) (int, error) { return 0, proclet.ErrNoProclet }, "")
		if !errors.Is(err, proclet.ErrNoProclet) {
			t.Errorf("Apply of a function that found no proclet = %v", err)
		}
		_, err = Apply(th, h, k, func(*counts, *proclet.Thread, string) (int, error) { panic("oh") }, "")
		if p := (*proclet.PanicError)(nil); !errors.As(err, &p) {
			t.Errorf("Apply of a function that panics = %v", err)
		}
	}
	local := 1
	_, err = Apply(th, h, 1, func(*counts, *proclet.Thread, string) (int, error) { return local, nil }, "")
	if !errors.Is(err, proclet.ErrMethod) {
		t.Errorf("Apply of a closure = %v", err)
	}
}

// Names and handles in arguments and state.
func TestHashTableHandles(t *testing.T) {
	w := join(t, 2)
	h, err := NewHashTable[uint64, int64](w.thread(0), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Destroy(w.thread(0))
	if err := h.Bind(w.thread(0), "numbers"); err != nil {
		t.Fatal(err)
	}
	same, err := OpenHashTable[uint64, int64](w.thread(1), "numbers")
	if err != nil || same.shards.ID() != h.shards.ID() {
		t.Fatalf("OpenHashTable = %v, %v", same, err)
	}
	if _, err := OpenHashTable[uint64, uint64](w.thread(1), "numbers"); !errors.Is(err, proclet.ErrType) {
		t.Errorf("opened with other types: %v", err)
	}
	user, err := proclet.New[tableUser](w.thread(0), proclet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proclet.Call(w.thread(0), user, (*tableUser).Remember, h); err != nil {
		t.Fatal(err)
	}
	if _, err := proclet.Call(w.thread(1), user, (*tableUser).Write, 7); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := same.Get(w.thread(1), 7); v != 49 || !ok || err != nil {
		t.Errorf("Get = %v, %v, %v", v, ok, err)
	}
}

// tableUser has a table in its state.
type tableUser struct {
	tables proclet.Slice[HashTable[uint64, int64]]
}

func (u *tableUser) Remember(t *proclet.Thread, h HashTable[uint64, int64]) (struct{}, error) {
	return struct{}{}, u.tables.Append(t, h)
}

func (u *tableUser) Write(t *proclet.Thread, n int64) (int, error) {
	h := *u.tables.At(0)
	if err := h.Put(t, uint64(n), n*n); err != nil {
		return 0, err
	}
	return h.Len(t)
}
