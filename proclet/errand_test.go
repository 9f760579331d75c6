package proclet

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"nuos/rack"
)

// envoy is a state type whose methods run errands.
type envoy struct {
	handle Handle
}

type errandOrder struct {
	What string
	On   rack.MachineID
	Ref  Ref[keeper]
	Name string
}

// Run runs an errand and returns the proclet that it brings.
func (e *envoy) Run(t *Thread, o errandOrder) (got Ref[keeper], err error) {
	switch o.What {
	case "New":
		return New[keeper](t, Options{On: o.On, Capacity: 64 << 10})
	case "Destroy":
		return got, Destroy(t, o.Ref)
	case "Bind":
		return got, Bind(t, o.Name, o.Ref)
	case "Lookup":
		return Lookup[keeper](t, o.Name)
	case "Unbind":
		return got, Unbind(t, o.Name)
	case "Singleton":
		return Singleton(t, o.Name, func(t *Thread) (Ref[keeper], error) { return New[keeper](t, Options{Capacity: 64 << 10}) })
	}
	return got, errors.New("unknown errand")
}

// Begin starts a thread that makes a proclet.
func (e *envoy) Begin(t *Thread, on rack.MachineID) (_ struct{}, err error) {
	e.handle, err = Start(t, func(_ *envoy, t *Thread, on rack.MachineID) {
		New[keeper](t, Options{On: on, Capacity: 64 << 10})
	}, on)
	return struct{}{}, err
}

// holdUp holds up the first message of some kind, or use of a name, of a machine. asked is
// closed when there has been one; it goes on when answer is closed.
func (s *segment) holdUp(from rack.MachineID, kind byte, name string) (asked, answer chan struct{}) {
	asked, answer = make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	hold := func() {
		if !held.Swap(true) {
			close(asked)
			<-answer
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.around = func(f, _ rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		if f == from && msg[0] == kind {
			hold()
		}
		return deliver(), nil
	}
	s.naming = func(f rack.MachineID, n string) {
		if f == from && n == name && name != "" {
			hold()
		}
	}
	return asked, answer
}

// A thread that waits for a proclet to be made or destroyed on another machine, or for a
// name, moves with its proclet, and gets what it waits for once.
func TestErrandsWhileMoving(t *testing.T) {
	needMoves(t)
	for what, kind := range map[string]byte{"New": messageCreate, "Destroy": messageDestroy, "Bind": 0, "Lookup": 0, "Unbind": 0, "Singleton": 0} {
		t.Run(what, func(t *testing.T) {
			s, rts := newSegment(t, 3)
			th := rts[2].Current()
			ref := mustNew[keeper](t, th, Options{On: rts[2].self})
			e := mustNew[envoy](t, th, Options{On: rts[0].self})
			o := errandOrder{What: what, On: rts[2].self, Ref: ref}
			if kind == 0 {
				o.Name = "embassy"
			}
			if what == "Lookup" || what == "Unbind" {
				if err := Bind(th, o.Name, ref); err != nil {
					t.Fatal(err)
				}
			}
			asked, answer := s.holdUp(rts[0].self, kind, o.Name)
			f := Go(th, e, (*envoy).Run, o)
			<-asked
			move(t, rts[0], rts[1], e.id)
			close(answer)
			got, err := f.Wait(th)
			if err != nil {
				t.Fatal(err)
			}
			holders := uint64(1)
			switch what {
			case "New":
				wantHolders(t, rts, got.id, 1)
				if r := rts[2].find(got.id); r == nil || got == ref {
					t.Errorf("New made %v", got)
				}
			case "Destroy":
				holders = 0
				if n := closesOf(ref.id); n != 1 {
					t.Errorf("Close was called %d times", n)
				}
			case "Bind", "Lookup":
				holders = 2
				if what == "Lookup" {
					holders = 3
				}
				if now, err := Lookup[keeper](th, o.Name); now != ref || err != nil || what == "Lookup" && got != ref {
					t.Errorf("%s = %v; the name is %v, %v", what, got, now, err)
				}
				Release(th, ref)
			case "Unbind":
				if now, err := Lookup[keeper](th, o.Name); !errors.Is(err, ErrNoName) {
					t.Errorf("the name is %v, %v", now, err)
				}
			case "Singleton":
				wantHolders(t, rts, got.id, 2)
				if now, err := Lookup[keeper](th, o.Name); now != got || err != nil {
					t.Errorf("Singleton = %v; the name is %v, %v", got, now, err)
				}
			}
			wantHolders(t, rts, ref.id, holders)
			if err := rts[1].find(e.id).heap.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// dawdler takes its time to end.
type dawdler struct{ n int }

var dawdling, dawdled chan struct{}

func (d *dawdler) Close(t *Thread) {
	close(dawdling)
	<-dawdled
}

// Await destroys a proclet.
func (e *envoy) Await(t *Thread, d Ref[dawdler]) (struct{}, error) { return struct{}{}, Destroy(t, d) }

// A thread that waits for a proclet of its own machine to end is not in the way of its
// proclet either.
func TestDestroyHereWhileMoving(t *testing.T) {
	needMoves(t)
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	dawdling, dawdled = make(chan struct{}), make(chan struct{})
	d, e := mustNew[dawdler](t, th, Options{On: rts[0].self}), mustNew[envoy](t, th, Options{On: rts[0].self})
	f := Go(th, e, (*envoy).Await, d)
	<-dawdling
	move(t, rts[0], rts[1], e.id)
	close(dawdled)
	if _, err := f.Wait(th); err != nil {
		t.Error(err)
	}
	if r := rts[0].find(d.id); r != nil {
		t.Errorf("%v is still there", r.id)
	}
}

// A proclet whose maker has ended before it got it does not stay.
func TestNewForNobody(t *testing.T) {
	s, rts := newSegment(t, 2)
	th := rts[0].Current()
	e := mustNew[envoy](t, th, Options{On: rts[0].self})
	asked, answer := s.holdUp(rts[0].self, messageCreate, "")
	if _, err := Call(th, e, (*envoy).Begin, rts[1].self); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := Destroy(th, e); err != nil {
		t.Fatal(err)
	}
	close(answer)
	waitFor(t, "the proclet to be made", func() bool { return s.machines[rts[0].self].leases() == 0 || len(rts[1].Proclets()) == 1 })
	waitFor(t, "it to end", func() bool { return s.machines[rts[0].self].leases() == 0 && len(rts[1].Proclets()) == 0 })
}

// A proclet is made once, though the answer that says so is lost.
func TestNewOnce(t *testing.T) {
	lost := func(to rack.MachineID, cause error) error {
		return &rack.CallError{To: to, Executed: rack.ErrMaybeExecuted, Cause: cause}
	}
	for _, c := range []struct {
		name   string
		placed bool // on a certain machine
		after  func(s *segment, rts []*Runtime, id ID) error
		want   []error
		at     int // where it lives in the end; of no meaning with an error
	}{
		{"and it is asked for again", true, func(_ *segment, rts []*Runtime, _ ID) error { return rack.ErrUnreachable }, nil, 1},
		{"and it has moved", true, func(_ *segment, rts []*Runtime, id ID) error {
			move(t, rts[1], rts[2], id)
			return rack.ErrUnreachable
		}, nil, 2},
		{"with the machine, but it has moved", true, func(s *segment, rts []*Runtime, id ID) error {
			move(t, rts[1], rts[2], id)
			s.kill(rts[1].self)
			return rack.ErrLost
		}, nil, 2},
		{"with the machine", true, func(s *segment, rts []*Runtime, id ID) error {
			s.kill(rts[1].self)
			return rack.ErrLost
		}, []error{ErrLost}, 0},
		{"with the machine, and another one is as good", false, func(s *segment, rts []*Runtime, id ID) error {
			s.kill(rts[1].self)
			return rack.ErrLost
		}, nil, 2},
		{"for a while", true, func(*segment, []*Runtime, ID) error { return context.DeadlineExceeded }, []error{ErrMaybeExecuted, context.DeadlineExceeded}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, rts := newSegment(t, 3)
			th := rts[0].Current()
			var first atomic.Bool
			s.around = func(_, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
				answer := deliver()
				if msg[0] == messageCreate && !first.Swap(true) {
					id, err := (&decoder{msg[1:]}).id()
					if err != nil || rts[1].find(id) == nil {
						return nil, fmt.Errorf("%v was not made, %v", id, err)
					}
					return nil, lost(to, c.after(s, rts, id))
				}
				return answer, nil
			}
			o := Options{Capacity: 64 << 10}
			if c.placed {
				o.On = rts[1].self
			} else {
				rts[0].placing.Store(1) // rts[1] is the first one in turn
			}
			ref, err := New[keeper](th, o)
			for _, want := range c.want {
				if !errors.Is(err, want) || !ref.IsZero() {
					t.Errorf("New = %v, %v, want %v", ref, err, want)
				}
			}
			if len(c.want) > 0 {
				if want := c.want[0] == ErrMaybeExecuted; errors.Is(err, ErrMaybeExecuted) != want {
					t.Errorf("New = %v", err)
				}
				waitFor(t, "everything to be given back", func() bool {
					return s.machines[rts[0].self].leases() == 0 && (s.machines[rts[1].self].dead || len(rts[1].Proclets()) == 0)
				})
				return
			}
			if err != nil || rts[c.at].find(ref.id) == nil {
				t.Fatalf("New = %v, %v", ref, err)
			}
			for i, rt := range rts {
				if s.machines[rt.self].dead {
					continue
				}
				if n := len(rt.Proclets()); n != 0 && i != c.at || n > 1 {
					t.Errorf("machine %d has %d proclets", i, n)
				}
			}
			wantHolders(t, rts, ref.id, 1)
			if err := Release(th, ref); err != nil {
				t.Fatal(err)
			}
			wantHolders(t, rts, ref.id, 0)
		})
	}
}
