// Package keep keeps what ends, and what does not.
package keep

import (
	"context"

	"nuos/proclet"
)

var thread *proclet.Thread // want `global variable thread keeps a \*proclet\.Thread, which ends with its call; pass it on, or call proclet\.Current where it is needed`

var current struct {
	any any
	ctx context.Context
}

type S struct {
	name  proclet.String
	names proclet.Slice[proclet.String]
	in    struct{ name proclet.String }
	any   [1]int
	n     int
	next  proclet.Ref[S]
	weak  proclet.Weak[S]
}

func (s *S) Keeps(t *proclet.Thread, name proclet.String) (int, error) {
	thread = t                         // want `global variable keeps a \*proclet\.Thread, which ends with its call; each method is given one of its own`
	current.any = t                    // want `global variable keeps a \*proclet\.Thread`
	current.ctx = context.Background() // want `global variable keeps a context\.Context, which belongs to one machine and one call; keep a deadline as a number`
	s.name = name                      // want `assignment of a proclet\.String to state: the state would not own it; use its method Set`
	s.in.name = proclet.View("x")      // want `assignment of a proclet\.String to state`
	s.n = 1
	local := name
	local = proclet.View("y")
	inner := struct{ t *proclet.Thread }{}
	inner.t = t
	_, _ = local, inner
	if other, err := proclet.New[S](t, proclet.Options{}); err == nil {
		s.next = other // want `assignment of a proclet\.Ref to state: the state would not own it; use its method Set`
		if err := s.next.Set(t, other); err != nil {
			return 0, err
		}
		s.weak = other.Weak()
	}
	var err error
	s.next, err = proclet.New[S](t, proclet.Options{}) // want `assignment of a proclet\.Ref to state`
	if err != nil {
		return 0, err
	}
	next := s.next
	next = proclet.Ref[S]{}
	_ = next
	return 0, s.name.Set(t, name.String())
}

// Outside runs on goroutines.
func Outside(ctx context.Context) {
	current.ctx = ctx
}
