package proclet

import (
	"errors"
	"fmt"
	"testing"
)

// floor is a state type whose methods call the next one down.
type floor struct {
	next   Ref[floor]
	opened Promise[int]
}

func (f *floor) Stair(t *Thread, next Ref[floor]) (struct{}, error) {
	return struct{}{}, f.next.Set(t, next)
}

func (f *floor) Open(t *Thread, _ struct{}) (struct{}, error) {
	return struct{}{}, f.opened.Set(t, 1)
}

// Descend goes down to the last floor, waits there, in a Scope, and tries to destroy
// the floors above on the way back. It returns how many of them were in use.
func (f *floor) Descend(t *Thread, above []Ref[floor]) (busy int, err error) {
	t.Scope(func() {
		if f.next.IsZero() {
			_, err = f.opened.Wait(t)
			return
		}
		var all [8]Ref[floor]
		n := copy(all[:], above)
		all[n] = Ref[floor]{t.id}
		busy, err = Call(t, f.next, (*floor).Descend, all[:n+1])
	})
	for _, ref := range above {
		if err := Destroy(t, ref); errors.Is(err, ErrBusy) {
			busy++
		}
	}
	return busy, err
}

// newFloors makes floors on these machines, with a stair from each to the next.
func newFloors(t *testing.T, th *Thread, at ...*Runtime) (floors []Ref[floor]) {
	t.Helper()
	for i, rt := range at {
		floors = append(floors, mustNew[floor](t, th, Options{On: rt.self, Capacity: 1 << 20}))
		if i == 0 {
			continue
		}
		if _, err := Call(th, floors[i-1], (*floor).Stair, floors[i]); err != nil {
			t.Fatal(err)
		}
	}
	return floors
}

// comeBack opens the last floor, and waits for f, which has gone down there.
func comeBack(t *testing.T, th *Thread, floors []Ref[floor], f *Future[int]) {
	t.Helper()
	depth := len(floors)
	if _, err := Call(th, floors[depth-1], (*floor).Open, struct{}{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the way back", func() bool {
		select {
		case <-f.Done():
			return true
		default:
			return false
		}
	})
	if n, err := f.Wait(th); n != depth*(depth-1)/2 || err != nil {
		t.Errorf("%d floors were in use, %v; want %d", n, err, depth*(depth-1)/2)
	}
}

// A proclet that ends waits for a call inside whose thread has been divided, and the
// parts of that do not wait for each other's place.
func TestDestroyBelowAfterSplit(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 2)
	th := rts[1].Current()
	const depth = 3
	floors := newFloors(t, th, rts[0], rts[0], rts[0])
	f := Go(th, floors[0], (*floor).Descend, nil)
	last := floors[depth-1].id
	waitFor(t, "the last floor", func() bool { return rts[0].find(last).gate.inside() == 1 })
	move(t, rts[0], rts[1], last)
	destroyed := make(chan error, 1)
	lowest := rts[0].find(floors[0].id)
	go func() { destroyed <- rts[0].Destroy(floors[0].id) }()
	waitFor(t, "the lowest floor to end", lowest.destroying.Load)
	comeBack(t, th, floors, f)
	if err := <-destroyed; err != nil {
		t.Error(err)
	}
}

// The methods of a chain of calls know which proclets that is inside of, though it
// has been divided, more than once, and put together again.
func TestDestroyAboveAfterSplit(t *testing.T) {
	needMoves(t)
	for moves := range 12 {
		t.Run(fmt.Sprint(moves, " moves"), func(t *testing.T) {
			_, rts := newSegment(t, 3)
			th := rts[2].Current()
			const depth = 5
			floors := newFloors(t, th, rts[0], rts[0], rts[0], rts[1], rts[1])
			used := func() (all uint64) {
				for _, rt := range rts {
					rt.release() // answers are kept until then
				}
				for _, ref := range floors {
					info, err := ownerOf(t, nil, ref.id).Info(ref.id)
					if err != nil {
						t.Fatal(err)
					}
					all += info.Used
				}
				return all
			}
			before := used()
			f := Go(th, floors[0], (*floor).Descend, nil)
			waitFor(t, "the last floor", func() bool {
				r := ownerOf(t, nil, floors[depth-1].id).find(floors[depth-1].id)
				return r.gate.inside() == 1
			})
			for i := range moves {
				ref := floors[(i*2+1)%depth]
				from := ownerOf(t, nil, ref.id)
				if to := rts[(i/2+i)%3]; to != from {
					move(t, from, to, ref.id)
				}
			}
			comeBack(t, th, floors, f)
			waitFor(t, "the heaps to be as before", func() bool { return used() == before })
		})
	}
}
