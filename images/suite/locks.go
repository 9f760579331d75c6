package main

import (
	"errors"
	"fmt"
	"time"

	"nuos/proclet"
)

// Account is changed under locks, in steps that wait.
type Account struct {
	mu    proclet.Mutex
	rw    proclet.RWMutex
	a, b  int64 // always the same, under rw
	value int64 // under mu
}

// Slow adds to the value what it was before it waited.
func (a *Account) Slow(t *proclet.Thread, n int64) (int64, error) {
	a.mu.Lock(t)
	defer a.mu.Unlock(t)
	v := a.value
	t.Sleep(10 * time.Microsecond)
	a.value = v + n
	return a.value, nil
}

// Write changes both sides, one after the other.
func (a *Account) Write(t *proclet.Thread, n int64) (int64, error) {
	a.rw.Lock(t)
	defer a.rw.Unlock(t)
	a.a += n
	t.Sleep(10 * time.Microsecond)
	a.b += n
	return a.b, nil
}

// Read returns how much the sides differ.
func (a *Account) Read(t *proclet.Thread, _ struct{}) (int64, error) {
	a.rw.RLock(t)
	defer a.rw.RUnlock(t)
	before := a.a
	t.Sleep(10 * time.Microsecond)
	return before - a.b, nil
}

// checkLock: what a lock guards is changed by one at a time, wherever it is.
func checkLock(s *suite) (string, error) {
	ref, err := proclet.New[Account](s.t, proclet.Options{})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	const workers = 8
	rounds := s.times(200)
	err = together(workers, func(w int) error {
		for i := range rounds {
			if _, err := proclet.Call(s.t, ref, (*Account).Slow, 1); err != nil {
				return err
			}
			if (i+w)%4 == 0 {
				if _, err := proclet.Call(s.t, ref, (*Account).Write, 1); err != nil {
					return err
				}
			}
			differ, err := proclet.Call(s.t, ref, (*Account).Read, struct{}{})
			if err := errors.Join(err, want("difference", differ, 0)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	sum, err := proclet.Call(s.t, ref, (*Account).Slow, 0)
	return fmt.Sprintf("%d workers, %d rounds", workers, rounds), errors.Join(err, want("sum", sum, int64(workers*rounds)))
}

// Buffer is a queue of a few places, in which producers and consumers wait.
type Buffer struct {
	mu       proclet.Mutex
	notEmpty proclet.Cond
	notFull  proclet.Cond
	queue    proclet.Deque[int64]
}

const places = 3

// Put waits for a place.
func (b *Buffer) Put(t *proclet.Thread, v int64) (struct{}, error) {
	b.mu.Lock(t)
	defer b.mu.Unlock(t)
	for b.queue.Len() == places {
		b.notFull.Wait(t, &b.mu)
	}
	b.notEmpty.Signal(t)
	return struct{}{}, b.queue.PushBack(t, v)
}

// Take waits for a value.
func (b *Buffer) Take(t *proclet.Thread, _ struct{}) (int64, error) {
	b.mu.Lock(t)
	defer b.mu.Unlock(t)
	for b.queue.Len() == 0 {
		b.notEmpty.Wait(t, &b.mu)
	}
	b.notFull.Signal(t)
	v, _ := b.queue.PopFront(t)
	return v, nil
}

// checkCondvar: those who wait for a condition are woken, and nothing is lost or
// doubled on the way.
func checkCondvar(s *suite) (string, error) {
	ref, err := proclet.New[Buffer](s.t, proclet.Options{})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	const pairs = 4
	n := s.times(400)
	seen := make([][]int64, pairs)
	err = together(2*pairs, func(w int) error {
		for i := range n {
			if w < pairs {
				if _, err := proclet.Call(s.t, ref, (*Buffer).Put, int64(w*n+i)); err != nil {
					return err
				}
				continue
			}
			v, err := proclet.Call(s.t, ref, (*Buffer).Take, struct{}{})
			if err != nil {
				return err
			}
			seen[w-pairs] = append(seen[w-pairs], v)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	had := map[int64]bool{}
	for w, values := range seen {
		for i, v := range values {
			if had[v] || v < 0 || v >= int64(pairs*n) {
				return "", fmt.Errorf("consumer %d got %d, which is wrong or was there before", w, v)
			}
			had[v] = true
			// Of one producer each consumer sees what comes in order.
			for _, earlier := range values[:i] {
				if earlier > v && earlier/int64(n) == v/int64(n) {
					return "", fmt.Errorf("consumer %d got %d before %d", w, earlier, v)
				}
			}
		}
	}
	return fmt.Sprintf("%d values through %d places", pairs*n, places), want("values", len(had), pairs*n)
}

// Clock is what waits for times.
type Clock struct {
	timer  proclet.Timer
	ticker proclet.Ticker
}

// Sleep sleeps again and again, and returns how long that took altogether. Its
// clock must not go back meanwhile.
func (c *Clock) Sleep(t *proclet.Thread, each []time.Duration) (time.Duration, error) {
	start := t.Now()
	last := start
	for _, d := range each {
		t.Sleep(d)
		now := t.Now()
		if now.Sub(last) < d {
			return 0, fmt.Errorf("after a sleep of %v the clock has advanced by %v", d, now.Sub(last))
		}
		last = now
	}
	return last.Sub(start), nil
}

// Watch looks at the clock all the time for so long.
func (c *Clock) Watch(t *proclet.Thread, d time.Duration) (looks int, err error) {
	start := t.Now()
	for last := start; last.Sub(start) < d; looks++ {
		now := t.Now()
		if now.Before(last) {
			return 0, fmt.Errorf("the clock went back from %v to %v", last, now)
		}
		last = now
		t.Sleep(20 * time.Microsecond)
	}
	return looks, nil
}

// Alarm waits for a timer that is set off late, and then earlier.
func (c *Clock) Alarm(t *proclet.Thread, d time.Duration) (time.Duration, error) {
	start := t.Now()
	c.timer.Reset(t, time.Hour)
	if !c.timer.Reset(t, d) {
		return 0, errors.New("a timer that was set is not running")
	}
	if !c.timer.Wait(t) {
		return 0, errors.New("a timer that was set has not fired")
	}
	took := t.Now().Sub(start)
	if took < d {
		return 0, fmt.Errorf("a timer of %v fired after %v", d, took)
	}
	return took, nil
}

// Tick waits for n ticks.
func (c *Clock) Tick(t *proclet.Thread, n int) (time.Duration, error) {
	start := t.Now()
	const d = 2 * time.Millisecond
	c.ticker.Reset(t, d)
	for range n {
		if !c.ticker.Wait(t) {
			return 0, errors.New("a ticker that runs has ended")
		}
	}
	c.ticker.Stop(t)
	if c.ticker.Wait(t) {
		return 0, errors.New("a ticker ticks after it was stopped")
	}
	// Ticks may be dropped, but none comes early.
	took := t.Now().Sub(start)
	if took < time.Duration(n)*d {
		return 0, fmt.Errorf("%d ticks of %v took %v", n, d, took)
	}
	return took, nil
}

// checkTime: sleeping takes as long as it should, timers fire, and the clock of a
// proclet does not go back, on whatever machines it is.
func checkTime(s *suite) (string, error) {
	ref, err := proclet.New[Clock](s.t, proclet.Options{})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	n := s.times(40)
	var slept time.Duration
	looks := 0
	err = together(8, func(w int) error {
		switch w {
		case 0:
			_, err := proclet.Call(s.t, ref, (*Clock).Tick, n)
			return err
		case 1:
			for range n {
				if _, err := proclet.Call(s.t, ref, (*Clock).Alarm, 3*time.Millisecond); err != nil {
					return err
				}
			}
			return nil
		case 2:
			var err error
			looks, err = proclet.Call(s.t, ref, (*Clock).Watch, time.Duration(n)*2*time.Millisecond)
			return err
		}
		random := s.random(uint64(200 + w))
		each := make([]time.Duration, n)
		for i := range each {
			each[i] = time.Duration(random.IntN(5000)) * time.Microsecond
		}
		took, err := proclet.Call(s.t, ref, (*Clock).Sleep, each)
		if w == 3 {
			slept = took
		}
		return err
	})
	return fmt.Sprintf("slept for %v, looked at the clock %d times", slept.Round(time.Millisecond), looks), err
}
