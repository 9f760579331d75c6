package dist

import (
	"testing"
	"time"

	"nuos/proclet"
	"nuos/proclet/internal/fiber"
)

// traveller is a proclet whose method uses structures all the time.
type traveller struct {
	table HashTable[uint64, int64]
	list  Vector[int64]
	queue Queue[int64]
	pool  MemPool
	steps int64
}

type luggage struct {
	Table HashTable[uint64, int64]
	List  Vector[int64]
	Queue Queue[int64]
	Pool  MemPool
}

func (w *traveller) Pack(t *proclet.Thread, l luggage) (struct{}, error) {
	if err := w.table.Keep(t, l.Table); err != nil {
		return struct{}{}, err
	}
	if err := w.list.Keep(t, l.List); err != nil {
		return struct{}{}, err
	}
	if err := w.queue.Keep(t, l.Queue); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, w.pool.Keep(t, l.Pool)
}

// Go uses each structure so many times, and returns what is in them then.
func (w *traveller) Go(t *proclet.Thread, steps int64) (sums [4]int64, err error) {
	for i := range steps {
		t.Scope(func() {
			if err == nil {
				err = w.step(t, i)
			}
		})
		if err != nil {
			return sums, err
		}
	}
	if sums[0], err = Reduce(t, w.table, 0, func(acc int64, _ *uint64, v *int64) int64 { return acc + *v }, plus); err != nil {
		return sums, err
	}
	if sums[1], err = ReduceVector(t, w.list, 0, func(acc int64, _ int, v *int64) int64 { return acc + *v }, plus); err != nil {
		return sums, err
	}
	n, err := w.queue.Len(t)
	sums[2] = int64(n)
	sums[3] = w.steps
	return sums, err
}

func (w *traveller) step(t *proclet.Thread, i int64) error {
	w.steps++
	if _, err := Apply(t, w.table, uint64(i%50), func(v *int64, _ *proclet.Thread, by int64) (int64, error) { *v += by; return *v, nil }, 1); err != nil {
		return err
	}
	if _, _, err := w.table.Get(t, uint64(i)); err != nil {
		return err
	}
	if _, err := w.list.Append(t, i); err != nil {
		return err
	}
	if err := w.queue.Push(t, i); err != nil {
		return err
	}
	if i%2 == 0 {
		if _, err := w.queue.Pop(t); err != nil {
			return err
		}
	}
	p, err := Alloc(t, w.pool, i)
	if err != nil {
		return err
	}
	return p.Free(t)
}

// A method that uses structures moves in the middle of that.
func TestMethodsThatUseStructuresMove(t *testing.T) {
	w := join(t, 3)
	th := w.thread(0)
	table, err := NewHashTable[uint64, int64](th, Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	list, err := NewVector[int64](th, Options{ShardBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := NewQueue[int64](th, Options{ShardBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := NewMemPool(th, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := proclet.New[traveller](th, proclet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proclet.Call(th, ref, (*traveller).Pack, luggage{table, list, queue, pool}); err != nil {
		t.Fatal(err)
	}
	const steps = 2000
	var sums [4]int64
	done := make(chan error, 1)
	go func() {
		var err error
		sums, err = proclet.Call(w.thread(1), ref, (*traveller).Go, int64(steps))
		done <- err
	}()
	moves, tries := 0, 0
	for over := false; !over; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			over = true
		default:
			for i, from := range w.runtimes {
				if _, err := from.Info(ref.ID()); err == nil {
					tries++
					if move(t, from, w.runtimes[(i+1)%3], ref.ID()) {
						moves++
					}
					break
				}
			}
			time.Sleep(time.Millisecond)
		}
	}
	want := [4]int64{steps, steps * (steps - 1) / 2, steps / 2, steps}
	if sums != want {
		t.Errorf("sums %v, want %v", sums, want)
	}
	t.Logf("%d moves, %d tries", moves, tries)
	if fiber.Movable && (moves < tries*9/10 || moves < 10) { // not under the race detector
		t.Errorf("only %d of %d moves succeeded", moves, tries)
	}
}
