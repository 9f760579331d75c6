package dist

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"nuos/proclet"
)

func elements(t testing.TB, th *proclet.Thread, v Vector[proclet.String]) (all []string) {
	t.Helper()
	elements := v.Range(th, 0, -1)
	for i, s := range elements.All() {
		if i != len(all) {
			t.Fatalf("element %d comes after %d others", i, len(all))
		}
		all = append(all, s.String())
	}
	if err := elements.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVectorAgainstGo(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	v, err := NewVector[proclet.String](w.thread(0), small)
	if err != nil {
		t.Fatal(err)
	}
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	var want []string
	most := 0
	text := func() string { return fmt.Sprint(random.IntN(1000)) + strings.Repeat("v", random.IntN(300)) }
	const steps = 6000
	for step := range steps {
		th := w.thread(step)
		switch op := random.IntN(100); {
		case op < 60:
			var some []proclet.String
			first := len(want)
			for range 1 + random.IntN(3) {
				want = append(want, text())
				some = append(some, proclet.View(want[len(want)-1]))
			}
			if got, err := v.Append(th, some...); err != nil || got != first {
				t.Fatalf("Append = %d, %v, want %d", got, err, first)
			}
		case op < 75 && len(want) > 0:
			i := random.IntN(len(want))
			want[i] = text()
			if err := v.Set(th, i, proclet.View(want[i])); err != nil {
				t.Fatal(err)
			}
		case op < 76 && step%10 == 0:
			n := len(want) / 4
			want = want[:n]
			if err := v.Truncate(th, n); err != nil {
				t.Fatal(err)
			}
		default:
			i := random.IntN(len(want) + 1)
			got, err := v.Get(th, i)
			if i == len(want) {
				if !errors.Is(err, ErrRange) {
					t.Fatalf("Get(%d) of %d = %v, %v", i, len(want), got, err)
				}
			} else if err != nil || got.String() != want[i] {
				t.Fatalf("Get(%d) = %v, %v, want %s", i, got, err, want[i])
			}
		}
		if step%500 == 499 {
			most = max(most, len(shardsOf(t, th, v.shards)))
			if got := elements(t, th, v); !slices.Equal(got, want) {
				t.Fatalf("step %d: %d elements, which are not the %d wanted", step, len(got), len(want))
			}
			if n, err := v.Len(th); err != nil || n != len(want) {
				t.Errorf("Len = %d, %v, want %d", n, err, len(want))
			}
		}
	}
	if err := v.Truncate(w.thread(0), 0); err != nil {
		t.Fatal(err)
	}
	last := len(shardsOf(t, w.thread(0), v.shards))
	if moves := stop(); most < 8 || last != 1 || moves < 10 {
		t.Errorf("at most %d shards, %d at the end, %d moves; want 8, 1, 10", most, last, moves)
	}
	if n, err := v.Len(w.thread(0)); n != 0 || err != nil {
		t.Errorf("Len of what was truncated = %d, %v", n, err)
	}
}

// Appends on all machines at once, while the shards are split and moved: every
// element is there once, and those of one client are in order.
func TestVectorAppends(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	v, err := NewVector[[2]int64](w.thread(0), Options{ShardBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	const clients, each = 6, 600
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				if _, err := v.Append(w.thread(c), [2]int64{int64(c), int64(i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	moves := stop()
	var next [clients]int64
	all := v.Range(w.thread(1), 0, -1)
	for i, e := range all.All() {
		if e[1] != next[e[0]] {
			t.Fatalf("element %d is number %d of client %d, want %d", i, e[1], e[0], next[e[0]])
		}
		next[e[0]]++
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	for c, n := range next {
		if n != each {
			t.Errorf("%d elements of client %d, want %d", n, c, each)
		}
	}
	if n := len(shardsOf(t, w.thread(0), v.shards)); n < 3 || moves == 0 {
		t.Errorf("%d shards, %d moves", n, moves)
	}
}

// Reduce, Update and Map, in order, while shards split and move.
func TestVectorAll(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	th := w.thread(0)
	v, err := NewVector[int64](th, Options{ShardBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	if first, err := v.Grow(th, n); first != 0 || err != nil {
		t.Fatal(first, err)
	}
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	for range 3 {
		if err := Update(th, v, func(i int, p *int64, _ *proclet.Thread, by int64) error { *p += int64(i) * by; return nil }, 2); err != nil {
			t.Fatal(err)
		}
	}
	sum := func(acc int64, i int, p *int64) int64 { return acc + *p }
	plus := func(a, b int64) int64 { return a + b }
	if got, err := ReduceVector(w.thread(1), v, 0, sum, plus); err != nil || got != 6*n*(n-1)/2 {
		t.Errorf("sum = %d, %v, want %d", got, err, 6*n*(n-1)/2)
	}
	// A reduction that depends on the order: the elements must ascend.
	type run struct {
		First, Last int64
		Broken      bool
		Len         int
	}
	order, err := ReduceVector(th, v, run{}, func(r run, i int, p *int64) run {
		if r.Len == 0 {
			return run{*p, *p, false, 1}
		}
		return run{r.First, *p, r.Broken || *p <= r.Last, r.Len + 1}
	}, func(a, b run) run {
		if a.Len == 0 || b.Len == 0 {
			return run{a.First + b.First, a.Last + b.Last, a.Broken || b.Broken, a.Len + b.Len}
		}
		return run{a.First, b.Last, a.Broken || b.Broken || b.First <= a.Last, a.Len + b.Len}
	})
	if want := (run{0, 6 * (n - 1), false, n}); err != nil || order != want {
		t.Errorf("ReduceVector = %+v, %v, want %+v", order, err, want)
	}
	texts, err := MapVector(th, v, Options{ShardBytes: 8 << 10}, func(i int, p *int64) proclet.String { return proclet.View(fmt.Sprint(i, *p)) })
	if err != nil {
		t.Fatal(err)
	}
	moves := stop()
	all := elements(t, w.thread(2), texts)
	if len(all) != n {
		t.Fatalf("%d images", len(all))
	}
	for i, s := range all {
		if want := fmt.Sprint(i, 6*i); s != want {
			t.Fatalf("image %d = %s, want %s", i, s, want)
		}
	}
	if shards := len(shardsOf(t, th, texts.shards)); shards < 4 || moves == 0 {
		t.Errorf("%d shards, %d moves", shards, moves)
	}
	err = Update(th, v, func(i int, p *int64, _ *proclet.Thread, _ int64) error {
		if i == n/2 {
			return proclet.ErrNoProclet
		}
		return nil
	}, 0)
	if !errors.Is(err, proclet.ErrNoProclet) {
		t.Errorf("an Update that fails = %v", err)
	}
	if got, err := ApplyAt(th, v, 7, func(p *int64, _ *proclet.Thread, by int64) (int64, error) { *p += by; return *p, nil }, 1); got != 43 || err != nil {
		t.Errorf("ApplyAt = %d, %v", got, err)
	}
}
