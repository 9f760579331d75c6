package main

import (
	"errors"
	"fmt"
	"time"

	"nuos/proclet"
)

// Workers is a proclet with threads of its own.
type Workers struct {
	mu    proclet.Mutex
	group proclet.WaitGroup
	sum   int64
	done  proclet.Slice[int64]
}

// task is what a thread of Workers does.
type task struct{ From, To int64 }

// Run starts threads that add up the numbers below n, each a part of them, and
// waits for all.
func (w *Workers) Run(t *proclet.Thread, n int64) (int64, error) {
	const parts = 10
	w.sum = 0
	for i := range int64(parts) {
		w.group.Add(t, 1)
		if _, err := proclet.Start(t, (*Workers).add, task{n * i / parts, n * (i + 1) / parts}); err != nil {
			return 0, err
		}
	}
	w.group.Wait(t)
	return w.sum, nil
}

// add adds up the numbers of a task, by halves.
func (w *Workers) add(t *proclet.Thread, of task) {
	defer w.group.Done(t)
	sum := halves(t, of.From, of.To)
	w.mu.Lock(t)
	defer w.mu.Unlock(t)
	w.sum += sum
}

// halves is a recursion that may move at every step.
func halves(t *proclet.Thread, from, to int64) int64 {
	t.Checkpoint()
	if to-from < 2 {
		return from * (to - from)
	}
	middle := (from + to) / 2
	return halves(t, from, middle) + halves(t, middle, to)
}

// Join starts threads one after the other and waits for each: for those that lock,
// those that sleep, and at last one that panics, which the machine's log will show.
func (w *Workers) Join(t *proclet.Thread, n int) (joined int, err error) {
	for i := range n {
		h, err := t.Go(func(t *proclet.Thread) {
			w := proclet.State[Workers](t)
			w.mu.Lock(t)
			defer w.mu.Unlock(t)
			w.sum++
		})
		if err != nil {
			return 0, err
		}
		slow, err := proclet.Start(t, (*Workers).sleep, time.Duration(i)*10*time.Microsecond)
		if err != nil {
			return 0, err
		}
		if err := h.Join(t); err != nil {
			return 0, err
		}
		if err := slow.Join(t); err != nil {
			return 0, err
		}
		joined += 2
	}
	bad, err := proclet.Start(t, (*Workers).panic, n)
	if err != nil {
		return 0, err
	}
	var panicked *proclet.PanicError
	if err := bad.Join(t); !errors.As(err, &panicked) || panicked.Value != "as asked for" {
		return 0, fmt.Errorf("a thread that panicked ended with %v", err)
	}
	return joined + 1, nil
}

func (w *Workers) sleep(t *proclet.Thread, d time.Duration) { t.Sleep(d) }

func (w *Workers) panic(t *proclet.Thread, i int) {
	t.Sleep(time.Microsecond)
	panic("as asked for")
}

// checkThread: threads of a proclet run, wait, are waited for and fail, wherever
// it is.
func checkThread(s *suite) (string, error) {
	ref, err := proclet.New[Workers](s.t, proclet.Options{})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	rounds, n := s.times(20), int64(5000)
	for range rounds {
		sum, err := proclet.Call(s.t, ref, (*Workers).Run, n)
		if err := errors.Join(err, want("sum", sum, n*(n-1)/2)); err != nil {
			return "", err
		}
	}
	joined, err := proclet.Call(s.t, ref, (*Workers).Join, rounds)
	if err := errors.Join(err, want("threads that were joined", joined, 2*rounds+1)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d threads", 12*rounds+1), nil
}
