package proclet

import (
	"sync/atomic"
	"testing"

	"nuos/mm"
	"nuos/rack"
)

// valve is a state type whose callers wait until it is opened.
type valve struct {
	opened Promise[int]
	kept   Ref[keeper]
	next   Ref[valve]
}

func (v *valve) Open(t *Thread, n int) (struct{}, error) { return struct{}{}, v.opened.Set(t, n) }
func (v *valve) Wait(t *Thread, _ struct{}) (int, error) { return v.opened.Wait(t) }

func (v *valve) Keep(t *Thread, r Ref[keeper]) (struct{}, error) {
	return struct{}{}, v.kept.Set(t, r)
}

func (v *valve) Next(t *Thread, r Ref[valve]) (struct{}, error) {
	return struct{}{}, v.next.Set(t, r)
}

// Clone makes the method a holder of what is kept, and returns it.
func (v *valve) Clone(t *Thread, _ struct{}) (Ref[keeper], error) { return v.kept.Clone(t) }

// Nest makes a proclet of its own, holds another one more, and goes on to the
// next valve, as long as there is one, where it waits. What all of them have made
// is returned.
func (v *valve) Nest(t *Thread, other Ref[keeper]) ([]Ref[keeper], error) {
	made, err := New[keeper](t, Options{Capacity: 64 << 10})
	if err != nil {
		return nil, err
	}
	if _, err := other.Clone(t); err != nil {
		return nil, err
	}
	if v.next.IsZero() {
		_, err := v.opened.Wait(t)
		return []Ref[keeper]{made}, err
	}
	var all []Ref[keeper]
	above, err := Call(t, v.next, (*valve).Nest, other)
	all = append(all, made)
	return append(all, above...), err
}

// Loop makes and forgets proclets until the valve is opened, in scopes.
func (v *valve) Loop(t *Thread, n int) (int, error) {
	for range n {
		t.Scope(func() {
			if _, err := New[keeper](t, Options{Capacity: 64 << 10}); err != nil {
				panic(err)
			}
		})
	}
	return v.opened.Wait(t)
}

// A method that waits for a count that it acquires moves with its proclet.
func TestAcquireWhileMoving(t *testing.T) {
	needMoves(t)
	s, rts := newSegment(t, 3)
	th := rts[2].Current()
	kept := mustNew[keeper](t, th, Options{On: rts[2].self})
	v := mustNew[valve](t, th, Options{On: rts[0].self, Capacity: 1 << 20})
	if _, err := Call(th, v, (*valve).Keep, kept); err != nil {
		t.Fatal(err)
	}
	asked, answer := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	s.mu.Lock()
	s.around = func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		if msg[0] == messageCount && from == rts[0].self && !first.Swap(true) {
			close(asked)
			<-answer
		}
		return deliver(), nil
	}
	s.mu.Unlock()
	f := Go(th, v, (*valve).Clone, struct{}{})
	<-asked
	move(t, rts[0], rts[1], v.id)
	close(answer)
	got, err := f.Wait(th)
	if err != nil || got != kept {
		t.Fatal(got, err)
	}
	wantHolders(t, rts, kept.id, 3)
	for range 2 {
		if err := Release(th, kept); err != nil {
			t.Fatal(err)
		}
	}
	wantHolders(t, rts, kept.id, 1)
	Release(th, v)
	wantHolders(t, rts, kept.id, 0)
}

// What the methods of a chain of calls own goes with each of them, when the
// thread is split because their proclets move apart.
func TestSplitOwners(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 3)
	frames := mm.Frames()
	th := rts[0].Current()
	other := mustNew[keeper](t, th, Options{})
	const depth = 5
	var vs [depth]Ref[valve]
	for i := range vs {
		vs[i] = mustNew[valve](t, th, Options{On: rts[0].self, Capacity: 1 << 20})
	}
	for i := range depth - 1 {
		if _, err := Call(th, vs[i], (*valve).Next, vs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	f := Go(th, vs[0], (*valve).Nest, other)
	wantHolders(t, rts, other.id, 1+depth)
	for i := range 4 * depth {
		r := vs[i*3%depth]
		from := ownerOf(t, nil, r.id)
		to := rts[i%3]
		if to != from {
			move(t, from, to, r.id)
		}
	}
	wantHolders(t, rts, other.id, 1+depth)
	if _, err := Call(rts[1].Current(), vs[depth-1], (*valve).Open, 1); err != nil {
		t.Fatal(err)
	}
	made, err := f.Wait(th)
	if err != nil || len(made) != depth {
		t.Fatal(made, err)
	}
	wantHolders(t, rts, other.id, 1)
	for _, r := range made {
		wantHolders(t, rts, r.id, 1)
		if err := Release(th, r); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, r.id, 0)
	}
	Release(th, other)
	for _, v := range vs {
		Release(th, v)
	}
	for _, v := range vs {
		wantHolders(t, rts, v.id, 0)
	}
	waitFor(t, "all frames to be free", func() bool { return mm.Frames() == frames })
}

// A method that runs for long gives back at the end of each Scope what it came to
// own there.
func TestScopeGivesBack(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	v := mustNew[valve](t, th, Options{})
	before := len(rts[0].Proclets()) + len(rts[1].Proclets())
	f := Go(th, v, (*valve).Loop, 50)
	waitFor(t, "the scopes to end", func() bool {
		made := rts[0].made.Load() + rts[1].made.Load()
		return made >= 51 && len(rts[0].Proclets())+len(rts[1].Proclets()) == before
	})
	if _, err := Call(th, v, (*valve).Open, 7); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Wait(th); n != 7 || err != nil {
		t.Error(n, err)
	}
}
