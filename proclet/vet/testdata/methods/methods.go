// Package methods calls what can be named on another machine, and what cannot.
package methods

import (
	"nuos/proclet"
	"nuos/proclet/dist"
)

type S struct{ n int }

func (s *S) Add(t *proclet.Thread, n int) (int, error) { s.n += n; return s.n, nil }

func get(s *S, t *proclet.Thread, _ struct{}) (int, error) { return s.n, nil }

var global int

const step = 2

type T[V any] struct{ v V }

func (b *T[V]) Get(t *proclet.Thread, _ struct{}) (V, error) { return b.v, nil }

func use(t *proclet.Thread, r proclet.Ref[S], b proclet.Ref[T[int]]) {
	proclet.Call(t, r, (*S).Add, 1)
	proclet.Call(t, r, get, struct{}{})
	proclet.Call(t, b, (*T[int]).Get, struct{}{})
	proclet.Call(t, r, func(s *S, t *proclet.Thread, n int) (int, error) {
		double := 2 * n
		return s.n + double + step + global, nil
	}, 1)
	more := 3
	proclet.Call(t, r, func(s *S, t *proclet.Thread, n int) (int, error) { // want `function given to Call captures more, which stays here when it runs elsewhere; pass it as the argument`
		return s.n + more, nil
	}, 1)
	proclet.Go(t, r, func(s *S, t *proclet.Thread, n int) (int, error) { // want `function given to Go captures r, which stays here`
		return proclet.Call(t, r, get, struct{}{})
	}, 1)
	var h holder
	proclet.Call(t, r, h.run, 1) // want `method given to Call is bound to a receiver; write the method expression \(methods\.holder\)\.run`
}

func distributed(t *proclet.Thread, h dist.HashTable[int, int], by int) {
	dist.Apply(t, h, 1, func(v *int, t *proclet.Thread, by int) (int, error) { return *v + by, nil }, by)
	dist.Apply(t, h, 1, func(v *int, t *proclet.Thread, _ int) (int, error) { // want `function given to Apply captures by, which stays here`
		return *v + by, nil
	}, by)
	dist.Reduce(t, h, 0, func(sum int, k, v *int) int { return sum + *v }, func(a, b int) int { return a + b })
	dist.Reduce(t, h, 0, func(sum int, k, v *int) int { return sum + *v + by }, func(a, b int) int { return a + b }) // want `function given to Reduce captures by`
}

func (s *S) watch(t *proclet.Thread, every int) {}

func (s *S) Start(t *proclet.Thread, n int) (int, error) {
	proclet.Start(t, (*S).watch, 1)
	proclet.Start(t, func(s *S, t *proclet.Thread, a int) { s.n = n }, 1) // want `function given to Start captures n, which stays here`
	t.Go(func(t *proclet.Thread) { proclet.State[S](t).n++ })
	t.Go(func(t *proclet.Thread) { s.n++ }) // want `function given to Go captures s, which stays here`
	return 0, nil
}

func job(t *proclet.Thread, width int) {
	sum := func(a, b int) int { return a + b }
	dist.Execute(t, dist.Job[int, int]{
		Tasks:   3,
		Run:     func(t *proclet.Thread, task, arg int) (int, error) { return task * width, nil }, // want `function given to Job captures width, which stays here`
		Combine: sum,
	}, dist.ExecutorOptions{})
	proclet.FuncOf(func() int { return width }) // want `function given to FuncOf captures width`
	proclet.FuncOf(func() int { return step })
}

type holder struct{}

func (holder) run(s *S, t *proclet.Thread, n int) (int, error) { return 0, nil }

// generic cannot know what its parameter is.
func generic[S, A, R any](t *proclet.Thread, r proclet.Ref[S], m func(*S, *proclet.Thread, A) (R, error), a A) {
	proclet.Call(t, r, m, a)
}
