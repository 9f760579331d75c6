// Package goheap keeps values of Go's heap while it waits, and not.
package goheap

import (
	"errors"
	"fmt"
	"maps"

	"nuos/proclet"
)

type S struct {
	mu    proclet.Mutex
	other proclet.Ref[S]
	count proclet.Map[int, int]
	name  proclet.String
}

func (s *S) N(t *proclet.Thread, n int) (int, error) { return n, nil }

func (s *S) Text(t *proclet.Thread, n int) (string, error) {
	text := fmt.Sprintf("%d", n) // want `the result of fmt\.Sprintf is still used after Mutex\.Lock in line \d+, where the thread may have to move: make it after that, or keep it in the proclet's state`
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return text, nil
}

func (s *S) Early(t *proclet.Thread, n int) (string, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return fmt.Sprintf("%d", n), nil
}

// Dead is needed no longer when the thread waits.
func (s *S) Dead(t *proclet.Thread, n int) (int, error) {
	text := fmt.Sprint(n)
	n = len(text)
	return proclet.Call(t, s.other, (*S).N, n)
}

func (s *S) Argument(t *proclet.Thread, n int) (string, error) {
	return proclet.Call(t, s.other, (*S).Named, fmt.Sprint(n))
}

func (s *S) Named(t *proclet.Thread, name string) (string, error) { return name, nil }

// KeepsArgument keeps what moves with the thread.
func (s *S) KeepsArgument(t *proclet.Thread, name string) (string, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return name[1:], nil
}

func (s *S) Loop(t *proclet.Thread, keys []int) (int, error) {
	found := map[int]int{} // want `a Go map is still used after proclet\.Call in line \d+, where the thread may have to move: use a proclet\.Map in the proclet's state, or finish with it before`
	for _, k := range keys {
		n, err := proclet.Call(t, s.other, (*S).N, k)
		if err != nil {
			return 0, err
		}
		found[k] = n
	}
	return len(found), nil
}

func (s *S) MapArgument(t *proclet.Thread, counts map[int]int) (int, error) { // want `argument counts, a Go map, is still used after Mutex\.Lock in line \d+`
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	for k, v := range counts {
		s.count.Put(t, k, v)
	}
	return 0, nil
}

// Containers do not wait.
func (s *S) Containers(t *proclet.Thread, counts map[int]int) (int, error) {
	for k, v := range counts {
		if err := s.count.Put(t, k, v); err != nil {
			return 0, err
		}
	}
	return len(counts), nil
}

func (s *S) Ranges(t *proclet.Thread, counts map[int]int) (n int, err error) { // want `argument counts, a Go map, is still used after proclet\.Call`
	for k := range counts {
		n, err = proclet.Call(t, s.other, (*S).N, k)
	}
	return n, err
}

func (s *S) Slices(t *proclet.Thread, n int) ([]int, error) {
	var all []int
	for i := range n {
		v, err := proclet.Call(t, s.other, (*S).N, i)
		if err != nil {
			return nil, err
		}
		all = append(all, v) // want `a slice grown by append is still used after proclet\.Call in line \d+, where the thread may have to move: use a proclet\.Slice in the proclet's state, or an array as its backing`
	}
	return all, nil
}

func (s *S) Made(t *proclet.Thread, n int) ([]int, error) {
	all := make([]int, n) // want `a slice made with a length that is not constant is still used after proclet\.Call`
	for i := range all {
		v, err := proclet.Call(t, s.other, (*S).N, i)
		if err != nil {
			return nil, err
		}
		all[i] = v
	}
	return nil, nil
}

// Backed keeps its slice on the stack.
func (s *S) Backed(t *proclet.Thread, n int) (int, error) {
	var space [16]int
	all := space[:0]
	for i := range min(n, len(space)) {
		v, err := proclet.Call(t, s.other, (*S).N, i)
		if err != nil {
			return 0, err
		}
		all = append(all, v)
	}
	return len(all), nil
}

func (s *S) Errors(t *proclet.Thread, n int) (int, error) {
	err := errors.New("not yet") // want `the result of errors\.New is still used after Mutex\.Lock`
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return 0, err
}

type failure struct{ code int }

func (f *failure) Error() string { return "failure" }

func (s *S) OwnError(t *proclet.Thread, n int) (int, error) {
	err := &failure{n} // want `a value that the function returns a pointer to is still used after Mutex\.Lock`
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return 0, err
}

// OnStack points to a variable of its own stack, which moves along.
func (s *S) OnStack(t *proclet.Thread, n int) (int, error) {
	p := &failure{n}
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return p.code, nil
}

func (s *S) Sum(t *proclet.Thread, name string) (int, error) {
	key := "the name of whom this method is called for: " + name // want `a concatenated string is still used after Mutex\.Lock`
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return 0, s.name.Set(t, key)
}

func (s *S) Deferred(t *proclet.Thread, n int) (int, error) {
	text := fmt.Sprint(n) // want `the result of fmt\.Sprint is still used after Mutex\.Lock`
	defer s.forget(text)
	s.mu.Lock(t)
	s.mu.Unlock(t)
	return 0, nil
}

func (s *S) forget(name string) {}

func (s *S) Captured(t *proclet.Thread, n int) (int, error) {
	var m map[int]int
	s.mu.Lock(t)
	m = maps.Clone(m) // want `the result of maps\.Clone is still used after proclet\.Call`
	forget := func() { clear(m) }
	n, err := proclet.Call(t, s.other, (*S).N, n)
	forget()
	s.mu.Unlock(t)
	return n, err
}

// Helper waits in a function of this package.
func (s *S) Helper(t *proclet.Thread, n int) (string, error) {
	text := fmt.Sprint(n) // want `the result of fmt\.Sprint is still used after wait in line \d+`
	wait(t, s)
	return text, nil
}

func wait(t *proclet.Thread, s *S) {
	s.mu.Lock(t)
	s.mu.Unlock(t)
}

// NoHelper gives its Thread to one that does not wait.
func (s *S) NoHelper(t *proclet.Thread, n int) (string, error) {
	text := fmt.Sprint(n)
	put(t, s, n)
	return text, nil
}

func put(t *proclet.Thread, s *S, n int) { s.count.Put(t, n, n) }

// Unmovable keeps what it likes where it cannot move.
func (s *S) Unmovable(t *proclet.Thread, n int) (int, error) {
	t.Unmovable(func() {
		text := fmt.Sprint(n)
		s.mu.Lock(t)
		n = len(text)
		s.mu.Unlock(t)
		s.forget(text)
	})
	return n, nil
}

func (s *S) Started(t *proclet.Thread, n int) (int, error) {
	_, err := t.Go(func(t *proclet.Thread) {
		text := fmt.Sprint(1) // want `the result of fmt\.Sprint is still used after Thread\.Sleep`
		t.Sleep(1)
		proclet.State[S](t).forget(text)
	})
	return 0, err
}

func (s *S) Computes(t *proclet.Thread, n int) (int, error) {
	seen := map[int]bool{} // want `a Go map is still used after Thread\.Checkpoint`
	for i := range n {
		seen[i%7] = true
		t.Checkpoint()
	}
	return len(seen), nil
}

// Asks asks its Thread what does not wait.
func (s *S) Asks(t *proclet.Thread, n int) (string, error) {
	text := fmt.Sprint(n)
	t.Now()
	_, err := text, t.Err()
	return text, err
}

func (s *S) Many(t *proclet.Thread, n int) (string, error) {
	text := fmt.Sprint(n) // want `the result of fmt\.Sprint is still used after proclet\.CallMany`
	_, err := proclet.CallMany(t, []proclet.Ref[S]{s.other}, (*S).N, 1)
	return text, err
}

// outside runs on goroutines, which keep what they like.
func outside(t *proclet.Thread, r proclet.Ref[S]) string {
	text := fmt.Sprint(1)
	proclet.Call(t, r, (*S).N, 1)
	return text
}
