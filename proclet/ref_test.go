package proclet

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/mm"
	"nuos/rack"
)

// keeper is a state type that holds others.
type keeper struct {
	mu    Mutex
	field [4]Ref[keeper]
	list  Slice[Ref[keeper]]
	named Map[String, tagged]
	set   Map[Ref[keeper], int]
}

type tagged struct {
	tag  String
	refs [2]Ref[keeper]
}

// closes counts the calls of keeper.Close, by proclet.
var closes sync.Map // ID -> *atomic.Int64

func closesOf(id ID) int64 {
	n, _ := closes.LoadOrStore(id, new(atomic.Int64))
	return n.(*atomic.Int64).Load()
}

func (k *keeper) Close(t *Thread) {
	n, _ := closes.LoadOrStore(t.id, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

// keep says what to do with some slot of a keeper.
type keep struct {
	Slot int
	Ref  Ref[keeper]
}

// slots is how many Refs a keeper can hold: 4 in fields, 4 in a list, 2 for one
// name, and one as a key.
const keeperSlots = 11

// Put stores a Ref, or clears the slot if it is zero.
func (k *keeper) Put(t *Thread, a keep) (struct{}, error) {
	var none struct{}
	k.mu.Lock(t)
	defer k.mu.Unlock(t)
	switch i := a.Slot; {
	case i < 4:
		if a.Ref.IsZero() {
			k.field[i].Drop(t)
			return none, nil
		}
		return none, k.field[i].Set(t, a.Ref)
	case i < 8:
		for k.list.Len() < 4 {
			if err := k.list.Append(t, Ref[keeper]{}); err != nil {
				return none, err
			}
		}
		return none, k.list.Set(t, i-4, a.Ref)
	case i < 10:
		v := tagged{tag: View("tag")}
		if old := k.named.Get(View("name")); old != nil && !old.refs[9-i].IsZero() {
			return none, old.refs[i-8].Set(t, a.Ref)
		}
		v.refs[i-8] = a.Ref
		return none, k.named.Put(t, View("name"), v)
	default:
		k.set.Clear(t)
		if a.Ref.IsZero() {
			return none, nil
		}
		return none, k.set.Put(t, a.Ref, 1)
	}
}

func (k *keeper) get(slot int) (r Ref[keeper]) {
	switch {
	case slot < 4:
		return k.field[slot]
	case slot < 8:
		if k.list.Len() > slot-4 {
			return *k.list.At(slot - 4)
		}
	case slot < 10:
		if v := k.named.Get(View("name")); v != nil {
			return v.refs[slot-8]
		}
	default:
		for key := range k.set.All() {
			return *key
		}
	}
	return r
}

// Get returns what is in a slot.
func (k *keeper) Get(t *Thread, slot int) (Ref[keeper], error) {
	k.mu.Hold(t)
	return k.get(slot), nil
}

// everything is a result with Refs at all kinds of places.
type everything struct {
	List  []Ref[keeper]
	Named map[string]Ref[keeper]
	Ptr   *keep
	Array [2]Ref[keeper]
}

func (e *everything) all() (all []Ref[keeper]) {
	all = append(all, e.List...)
	for _, r := range e.Named {
		all = append(all, r)
	}
	if e.Ptr != nil {
		all = append(all, e.Ptr.Ref)
	}
	all = append(all, e.Array[:]...)
	return slices.DeleteFunc(all, Ref[keeper].IsZero)
}

// All returns what is in all slots.
func (k *keeper) All(t *Thread, _ struct{}) (e everything, err error) {
	k.mu.Hold(t)
	e.Named = map[string]Ref[keeper]{}
	for i := range keeperSlots {
		switch r := k.get(i); {
		case i < 3:
			e.List = append(e.List, r)
		case i < 8:
			e.Named[fmt.Sprint(i)] = r
		case i < 9:
			e.Ptr = &keep{Ref: r}
		default:
			e.Array[i-9] = r
		}
	}
	return e, nil
}

// pass is a Ref on its way through other proclets.
type pass struct {
	Via []Ref[keeper]
	Ref Ref[keeper]
	Put keep // where the last one is to store it
}

// Pass passes a Ref on and returns it.
func (k *keeper) Pass(t *Thread, p pass) (Ref[keeper], error) {
	if len(p.Via) == 0 {
		p.Put.Ref = p.Ref
		_, err := k.Put(t, p.Put)
		return p.Ref, err
	}
	next := p.Via[0]
	p.Via = p.Via[1:]
	return Call(t, next, (*keeper).Pass, p)
}

// Make makes a proclet and returns it.
func (k *keeper) Make(t *Thread, on rack.MachineID) (Ref[keeper], error) {
	return New[keeper](t, Options{On: on, Capacity: 64 << 10})
}

// MakeAndKeep makes a proclet and stores it.
func (k *keeper) MakeAndKeep(t *Thread, slot int) (struct{}, error) {
	r, err := New[keeper](t, Options{Capacity: 64 << 10})
	if err != nil {
		return struct{}{}, err
	}
	return k.Put(t, keep{slot, r})
}

// settle waits until everything that was given back has arrived, and what nobody
// holds has ended.
func settle(t testing.TB, rts []*Runtime) {
	t.Helper()
	waitFor(t, "counts to be given back", func() bool {
		// All at once, because what one machine gives back may give another one work.
		idle := true
		for _, rt := range rts {
			rt.releases.mu.Lock()
			defer rt.releases.mu.Unlock()
			idle = idle && rt.releases.idle()
		}
		return idle
	})
}

// holdersOf returns how many hold a proclet; 0 if it is no more.
func holdersOf(rts []*Runtime, id ID) uint64 {
	for _, rt := range rts {
		if i, err := rt.Info(id); err == nil {
			return i.Refs
		}
	}
	return 0
}

// wantHolders waits until a proclet has so many holders.
func wantHolders(t testing.TB, rts []*Runtime, id ID, want uint64) {
	t.Helper()
	settle(t, rts)
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := holdersOf(rts, id)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v has %d holders, want %d", id, got, want)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRefsEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		rts := []*Runtime{th.runtime(), (*runtimes.Load())[th.rt+1]}
		before := mm.Frames()
		a := mustNew[keeper](t, th, o)
		wantHolders(t, rts, a.id, 1)
		if _, err := a.Clone(th); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, a.id, 2)
		for range 2 {
			if err := Release(th, a); err != nil {
				t.Fatal(err)
			}
		}
		if err := Release(th, a); !errors.Is(err, ErrNotOwned) {
			t.Errorf("third Release: %v", err)
		}
		waitFor(t, "the heap to be freed", func() bool { return mm.Frames() == before })
		if n := closesOf(a.id); n != 1 {
			t.Errorf("Close was called %d times", n)
		}
		if _, err := Call(th, a, (*keeper).Get, 0); !errors.Is(err, ErrNoProclet) {
			t.Errorf("Call: %v", err)
		}
		if _, err := a.Clone(th); !errors.Is(err, ErrNoProclet) {
			t.Errorf("Clone: %v", err)
		}
		if _, err := a.Weak().Upgrade(th); !errors.Is(err, ErrNoProclet) {
			t.Errorf("Upgrade: %v", err)
		}
		if err := Release(th, Ref[keeper]{}); !errors.Is(err, ErrNoProclet) {
			t.Errorf("Release of nothing: %v", err)
		}
	})
}

// What a method makes ends with it, unless it is returned or stored.
func TestMethodsOwn(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		rts := []*Runtime{th.runtime(), (*runtimes.Load())[th.rt+1]}
		k := mustNew[keeper](t, th, o)
		for _, on := range rts {
			made, err := Call(th, k, (*keeper).Make, on.self)
			if err != nil {
				t.Fatal(err)
			}
			wantHolders(t, rts, made.id, 1)
			for slot := range keeperSlots {
				if _, err := Call(th, k, (*keeper).Put, keep{slot, made}); err != nil {
					t.Fatal(err)
				}
				wantHolders(t, rts, made.id, uint64(slot)+2)
			}
			e, err := Call(th, k, (*keeper).All, struct{}{})
			if err != nil || len(e.all()) != keeperSlots {
				t.Fatalf("%d Refs, %v", len(e.all()), err)
			}
			wantHolders(t, rts, made.id, 1+2*keeperSlots)
			for _, r := range e.all() {
				if err := Release(th, r); err != nil {
					t.Fatal(err)
				}
			}
			wantHolders(t, rts, made.id, 1+keeperSlots)
			for slot := range keeperSlots {
				if _, err := Call(th, k, (*keeper).MakeAndKeep, slot); err != nil {
					t.Fatal(err)
				}
				wantHolders(t, rts, made.id, uint64(keeperSlots-slot))
				r, err := Call(th, k, (*keeper).Get, slot)
				if err != nil {
					t.Fatal(err)
				}
				wantHolders(t, rts, r.id, 2)
				Release(th, r)
			}
			if err := Release(th, made); err != nil {
				t.Fatal(err)
			}
			wantHolders(t, rts, made.id, 0)
		}
		var lost ID
		_, err := Call(th, k, func(k *keeper, t *Thread, _ struct{}) (struct{}, error) { panic("not this way") }, struct{}{})
		if err == nil {
			t.Error("no panic")
		}
		_, err = Call(th, k, (*keeper).MakeAndFail, &lost)
		if err == nil {
			t.Error("no error")
		}
	})
}

func (k *keeper) MakeAndFail(t *Thread, _ *ID) (Ref[keeper], error) {
	r, err := New[keeper](t, Options{Capacity: 64 << 10})
	if err != nil {
		return r, err
	}
	return r, errTest
}
