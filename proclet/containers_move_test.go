package proclet

import (
	"cmp"
	"fmt"
	"sync"
	"testing"
	"time"
)

// park is a state whose methods wait in the middle of iterations.
type park struct {
	zoos [4]zoo
}

const parkEntries = 40

// Walk fills containers, goes through all of them in every way, sleeping all the
// time, and empties them. It returns how many entries it has met.
func (s *park) Walk(t *Thread, i int) (int, error) {
	z := &s.zoos[i]
	var number [3]byte
	for i := range parkEntries {
		number = [3]byte{'0' + byte(i)/100, '0' + byte(i)/10%10, '0' + byte(i)%10}
		k := ViewBytes(number[:])
		for _, err := range [...]error{z.set.Add(t, k), z.sorted.Put(t, k, k), z.deque.PushFront(t, k), z.list.Append(t, k), z.queue.Push(t, job{int64(i), k})} {
			if err != nil {
				return 0, err
			}
		}
	}
	met := 0
	rest := func() {
		if met++; met%3 == 0 {
			t.Sleep(10 * time.Microsecond)
		}
	}
	for k := range z.set.All() {
		rest()
		z.set.Delete(t, *k)
	}
	for k, v := range z.sorted.All() {
		rest()
		if k.String() != v.String() {
			return 0, fmt.Errorf("%v has %v", k, v)
		}
		if met%2 == 0 {
			z.sorted.Delete(t, *k)
		}
	}
	for range z.sorted.Backward() {
		rest()
	}
	for range z.sorted.Range(View("010"), View("020")) {
		rest()
	}
	for range z.deque.All() {
		rest()
	}
	for range z.deque.Backward() {
		rest()
	}
	for range z.list.All() {
		rest()
	}
	z.list.Sort(t, func(a, b String) int {
		t.Sleep(time.Microsecond)
		return -cmp.Compare(a.String(), b.String())
	})
	if got := z.list.At(0).String(); got != "039" {
		return 0, fmt.Errorf("%s is first in descending order", got)
	}
	for j, ok := z.queue.Pop(t); ok; j, ok = z.queue.Pop(t) {
		rest()
		Free(t, &j)
	}
	z.free(t)
	return met, nil
}

// Threads wait in the middle of iterations, and of sorting, while their proclet
// moves: nothing of an iteration lies outside the stack and the heap.
func TestIterationsMove(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 3)
	ref := mustNew[park](t, rts[0].Current(), Options{On: rts[0].self})
	var wg sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		wg.Go(func() {
			for range 5 {
				got, err := Call(rts[i%3].Current(), ref, (*park).Walk, i)
				// Of the sorted map every second entry is met again on the way back.
				if want := 6*parkEntries + parkEntries/2 + 5; err != nil || got != want {
					t.Errorf("thread %d met %d entries, %v, want %d", i, got, err, want)
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(done)
	}()
	moves := keepMoving(t, rts, ref.id, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	t.Logf("%d moves", moves)
	if err := rts[moves%3].find(ref.id).heap.Check(); err != nil {
		t.Error(err)
	}
}
