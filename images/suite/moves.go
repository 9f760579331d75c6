package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

// Luggage is what a proclet has with it when it moves.
type Luggage struct {
	mu     proclet.Mutex
	goOn   proclet.Cond
	going  int
	calls  int64
	texts  proclet.Map[uint64, proclet.String]
	sorted proclet.OrderedMap[int64, proclet.Deque[int64]]
}

// Pack fills the heap with what Check knows.
func (l *Luggage) Pack(t *proclet.Thread, n int) (struct{}, error) {
	for i := range uint64(n) {
		var digits [20]byte
		if err := l.texts.Put(t, i, proclet.ViewBytes(spell(digits[:0], i*i))); err != nil {
			return struct{}{}, err
		}
		d, err := l.sorted.Entry(t, -int64(i%100))
		if err == nil {
			err = d.PushBack(t, int64(i))
		}
		if err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

// spell appends the digits of n to b, from the last to the first.
func spell(b []byte, n uint64) []byte {
	for ; n > 0 || len(b) == 0; n /= 10 {
		b = append(b, byte('0'+n%10))
	}
	return b
}

// Check returns how many things are there, all of them right.
func (l *Luggage) Check(t *proclet.Thread, _ struct{}) (n int, err error) {
	for k, v := range l.texts.All() {
		var digits [20]byte
		if want := proclet.ViewBytes(spell(digits[:0], *k**k)); v.String() != want.String() {
			return 0, fmt.Errorf("%d has the text %q", *k, v.String())
		}
		n++
	}
	last := int64(-1 << 62)
	for k, d := range l.sorted.All() {
		if *k <= last {
			return 0, fmt.Errorf("%d comes after %d", *k, last)
		}
		last = *k
		for v := range d.All() {
			if *v%100 != -*k {
				return 0, fmt.Errorf("%d is with %d", *v, *k)
			}
			n++
		}
	}
	return n, nil
}

// Add counts calls.
func (l *Luggage) Add(t *proclet.Thread, n int64) (int64, error) {
	l.mu.Lock(t)
	defer l.mu.Unlock(t)
	l.calls += n
	return l.calls, nil
}

// Wait waits until GoOn, with something on its stack that it must find again.
func (l *Luggage) Wait(t *proclet.Thread, text string) (string, error) {
	var squares [64]int
	for i := range squares {
		squares[i] = i * i
	}
	last := &squares[len(squares)-1]
	before := l.going
	l.mu.Lock(t)
	for l.going == before {
		l.goOn.Wait(t, &l.mu)
	}
	l.mu.Unlock(t)
	for i, v := range squares {
		if v != i*i {
			return "", fmt.Errorf("square %d is %d", i, v)
		}
	}
	if *last != 63*63 {
		return "", fmt.Errorf("a pointer into the stack leads to %d", *last)
	}
	return text, nil
}

// GoOn lets those who wait go on.
func (l *Luggage) GoOn(t *proclet.Thread, _ struct{}) (struct{}, error) {
	l.mu.Lock(t)
	defer l.mu.Unlock(t)
	l.going++
	l.goOn.Broadcast(t)
	return struct{}{}, nil
}

// carry moves a proclet from wherever it is to a machine; that it is there already
// is all right. Others may move it at the same time.
func (s *suite) carry(id proclet.ID, to rack.MachineID) error {
	for start := time.Now(); ; {
		for _, from := range s.machines {
			infos, err := s.proclets(from)
			if err != nil {
				return err
			}
			for _, info := range infos {
				if info.ID != id.String() {
					continue
				}
				if from == to {
					return nil
				}
				if from == s.rack.Self().ID {
					_, err = s.migrator.Move(context.Background(), id, to)
				} else {
					_, err = migrate.Ask(context.Background(), s.rack, from, id, to)
				}
				if err == nil {
					return nil
				}
				if !errors.Is(err, proclet.ErrNoProclet) && !errors.Is(err, proclet.ErrBusy) && !errors.Is(err, migrate.ErrRefused) {
					return err
				}
			}
		}
		if time.Since(start) > bound/4 {
			return fmt.Errorf("%v cannot be moved to machine %d", id, to)
		}
	}
}

// checkMigrate: what is in a heap arrives, and calls that wait inside with it.
func checkMigrate(s *suite) (string, error) {
	ref, err := proclet.New[Luggage](s.t, proclet.Options{})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	things := s.times(3000)
	if _, err := proclet.Call(s.t, ref, (*Luggage).Pack, things); err != nil {
		return "", err
	}
	n := s.times(60)
	for i := range n {
		const waiting = 5
		ended := make(chan error, waiting)
		for k := range waiting {
			go func() {
				text := fmt.Sprintf("thread %d of move %d", k, i)
				got, err := proclet.Call(s.t, ref, (*Luggage).Wait, text)
				ended <- errors.Join(err, want("argument", got, text))
			}()
		}
		for k := range 3 {
			if err := s.carry(ref.ID(), s.machine(i+k)); err != nil {
				return "", err
			}
			got, err := proclet.Call(s.t, ref, (*Luggage).Check, struct{}{})
			if err := errors.Join(err, want("things", got, 2*things)); err != nil {
				return "", err
			}
		}
		for k := 0; k < waiting; {
			if _, err := proclet.Call(s.t, ref, (*Luggage).GoOn, struct{}{}); err != nil {
				return "", err
			}
			select {
			case err := <-ended:
				if err != nil {
					return "", err
				}
				k++
			case <-time.After(time.Millisecond): // it was not waiting yet
			}
		}
	}
	return fmt.Sprintf("%d moves with %d things and 5 waiting calls", 3*n, 2*things), nil
}

// checkContinuousMigrate: a proclet is called while it goes round all the time.
func checkContinuousMigrate(s *suite) (string, error) {
	ref, err := proclet.New[Luggage](s.t, proclet.Options{})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	const callers = 4
	moves := s.times(300)
	var over atomic.Bool
	var sent atomic.Int64
	var calling sync.WaitGroup
	failed := make(chan error, callers)
	for range callers {
		calling.Go(func() {
			for !over.Load() {
				if _, err := proclet.Call(s.t, ref, (*Luggage).Add, 1); err != nil {
					failed <- err
					return
				}
				sent.Add(1)
			}
		})
	}
	for i := range moves {
		if err == nil {
			err = s.carry(ref.ID(), s.machine(i))
		}
	}
	over.Store(true)
	calling.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	if err != nil {
		return "", err
	}
	sum, err := proclet.Call(s.t, ref, (*Luggage).Add, 0)
	return fmt.Sprintf("%d moves under %d calls", moves, sum), errors.Join(err, want("calls executed", sum, sent.Load()))
}
