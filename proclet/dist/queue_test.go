package dist

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/proclet"
)

func TestQueueAgainstGo(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	q, err := NewQueue[proclet.String](w.thread(0), Options{ShardBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	var want []string
	most := 0
	for step := range 8000 {
		th := w.thread(step)
		if growing := step/1000%2 == 0; random.IntN(10) < 7 == growing {
			var some []proclet.String
			for range random.IntN(3) {
				want = append(want, fmt.Sprint(step)+strings.Repeat("v", random.IntN(200)))
				some = append(some, proclet.View(want[len(want)-1]))
			}
			if err := q.PushAll(th, some...); err != nil {
				t.Fatal(err)
			}
		} else if len(want) == 0 {
			if v, err := q.TryPop(th); !errors.Is(err, ErrEmpty) {
				t.Fatalf("TryPop of an empty queue = %v, %v", v, err)
			}
		} else {
			v, err := q.TryPop(th)
			if err != nil || v.String() != want[0] {
				t.Fatalf("step %d: TryPop = %v, %v, want %s", step, v, err, want[0])
			}
			want = want[1:]
		}
		if step%400 == 0 {
			most = max(most, len(shardsOf(t, th, q.shards)))
			if n, err := q.Len(th); n != len(want) || err != nil {
				t.Errorf("Len = %d, %v, want %d", n, err, len(want))
			}
		}
	}
	if err := q.Close(w.thread(1)); err != nil {
		t.Fatal(err)
	}
	if err := q.Push(w.thread(2), proclet.View("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("Push after Close = %v", err)
	}
	for len(want) > 0 {
		some, err := q.PopSome(w.thread(0), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range some {
			if v.String() != want[0] {
				t.Fatalf("PopSome gave %v, want %s", v, want[0])
			}
			want = want[1:]
		}
	}
	if _, err := q.Pop(w.thread(0)); !errors.Is(err, ErrClosed) {
		t.Errorf("Pop at the end = %v", err)
	}
	last := len(shardsOf(t, w.thread(0), q.shards))
	if moves := stop(); most < 4 || last != 1 || moves < 10 {
		t.Errorf("at most %d shards, %d at the end, %d moves", most, last, moves)
	}
}

// Producers and consumers on all machines, while shards come, go and move: each
// element is taken once, and each consumer sees those of a producer in order.
func TestQueueProducersAndConsumers(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	q, err := NewQueue[[2]int64](w.thread(0), Options{ShardBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	const producers, consumers, each = 4, 5, 700
	var pushing, popping sync.WaitGroup
	var taken [producers][each]atomic.Int32
	for p := range producers {
		pushing.Go(func() {
			for i := range each {
				if err := q.Push(w.thread(p), [2]int64{int64(p), int64(i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for c := range consumers {
		popping.Go(func() {
			last := [producers]int64{}
			for {
				v, err := q.Pop(w.thread(c))
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if v[1]+1 <= last[v[0]] {
					t.Errorf("consumer %d got %d of producer %d after %d", c, v[1], v[0], last[v[0]]-1)
				}
				last[v[0]] = v[1] + 1
				taken[v[0]][v[1]].Add(1)
			}
		})
	}
	pushing.Wait()
	if err := q.Close(w.thread(0)); err != nil {
		t.Fatal(err)
	}
	popping.Wait()
	if moves := stop(); moves == 0 {
		t.Error("nothing moved")
	}
	for p := range taken {
		for i := range taken[p] {
			if n := taken[p][i].Load(); n != 1 {
				t.Errorf("element %d of producer %d was taken %d times", i, p, n)
			}
		}
	}
}

// One who waits gets what comes later, wherever from.
func TestQueueWaits(t *testing.T) {
	w := join(t, 2)
	q, err := NewQueue[int64](w.thread(0), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(20) {
		got := make(chan int64)
		go func() {
			v, err := q.Pop(w.thread(int(i)))
			if err != nil {
				t.Error(err)
			}
			got <- v
		}()
		if err := q.Push(w.thread(1), i); err != nil {
			t.Fatal(err)
		}
		if v := <-got; v != i {
			t.Fatalf("Pop = %d, want %d", v, i)
		}
	}
}
