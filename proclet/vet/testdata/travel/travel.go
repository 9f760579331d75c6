// Package travel has arguments and results that are refused, and some that are
// not.
package travel

import (
	"context"
	"net/netip"
	"time"

	"nuos/proclet"
)

type S struct{ n int }

type Good struct {
	name   string
	tags   []string
	counts map[string]*int
	at     time.Time
	ref    proclet.Ref[S]
	text   proclet.String
	addr   netip.Addr // brings its own encoding
	grid   [3][3]float64
}

type Tree struct {
	left, right *Tree
}

type Event struct {
	names []struct{ f func() }
}

func (s *S) Good(t *proclet.Thread, a Good) (*Good, error)                    { return &a, nil }
func (s *S) Any(t *proclet.Thread, a any) (int, error)                        { return 0, nil }
func (s *S) Error(t *proclet.Thread, a int) (error, error)                    { return nil, nil }
func (s *S) Tree(t *proclet.Thread, a Tree) (int, error)                      { return 0, nil }
func (s *S) Event(t *proclet.Thread, a []Event) (int, error)                  { return 0, nil }
func (s *S) Map(t *proclet.Thread, a int) (map[string]chan int, error)        { return nil, nil }
func (s *S) Container(t *proclet.Thread, a int) (*proclet.Slice[byte], error) { return nil, nil }
func (s *S) Context(t *proclet.Thread, a context.Context) (int, error)        { return 0, nil }
func (s *S) Thread(t *proclet.Thread, a *proclet.Thread) (int, error)         { return 0, nil }

func (s *S) Time(t *proclet.Thread, a time.Time) (map[string]time.Duration, error) { return nil, nil }

func use(t *proclet.Thread, r proclet.Ref[S]) {
	proclet.Call(t, r, (*S).Good, Good{})
	proclet.Call(t, r, (*S).Any, any(1))             // want `argument: any is an interface; pass the concrete type`
	proclet.Call(t, r, (*S).Error, 1)                // want `result: error is an interface; pass the concrete type`
	proclet.Call(t, r, (*S).Tree, Tree{})            // want `argument: \(\*travel\.Tree\.left\) is travel\.Tree, which contains itself; pass a slice of its elements`
	proclet.Go(t, r, (*S).Event, nil)                // want `argument: \[\]travel\.Event\[\]\.names\[\]\.f is a function; pass a Ref to a proclet`
	proclet.Call(t, r, (*S).Map, 1)                  // want `result: map\[string\]chan int\[\] is a channel; pass a Ref to a proclet`
	proclet.Call(t, r, (*S).Container, 1)            // want `result: \(\*\*proclet\.Slice\[byte\]\) is a proclet\.Slice, which stays in its proclet; pass a Go slice or map`
	proclet.Call(t, r, (*S).Context, context.TODO()) // want `argument: context\.Context is a context\.Context; pass the deadline as a time\.Time`
	proclet.Call(t, r, (*S).Thread, t)               // want `argument: \*proclet\.Thread is a \*proclet\.Thread; the method gets one of its own`
	var future *proclet.Future[func()]               // want `result: func\(\) is a function; pass a Ref to a proclet`
	_ = future
}

// generic cannot be judged before it is used.
func generic[A any](t *proclet.Thread, r proclet.Ref[S], m func(*S, *proclet.Thread, A) (int, error), a A) {
	proclet.Call(t, r, m, a)
}
