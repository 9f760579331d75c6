package proclet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nuos/mm"
)

// refModel is what is held, according to what was done.
type refModel struct {
	rts   []*Runtime
	rng   *rand.Rand
	owned [][]Ref[keeper] // by machine, what its ordinary goroutines own
	slot  map[ID]*[keeperSlots]Ref[keeper]
	all   []Ref[keeper] // that ever were
	log   []string
}

func (m *refModel) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// count returns how many hold a proclet, and ends those that nobody holds.
func (m *refModel) count() map[ID]uint64 {
	for {
		n := map[ID]uint64{}
		for id := range m.slot {
			n[id] = 0
		}
		for _, own := range m.owned {
			for _, r := range own {
				n[r.id]++
			}
		}
		for _, s := range m.slot {
			for _, r := range s {
				if !r.IsZero() {
					n[r.id]++
				}
			}
		}
		ended := false
		for id, holders := range n {
			if holders == 0 && m.slot[id] != nil {
				delete(m.slot, id)
				ended = true
			}
		}
		if !ended {
			return n
		}
	}
}

// any returns one of what machine i owns, and -1 if there is nothing alive.
func (m *refModel) any(i int) (Ref[keeper], int) {
	for _, at := range m.rng.Perm(len(m.owned[i])) {
		if r := m.owned[i][at]; m.slot[r.id] != nil {
			return r, at
		}
	}
	return Ref[keeper]{}, -1
}

func (m *refModel) own(i int, r Ref[keeper]) {
	if !r.IsZero() {
		m.owned[i] = append(m.owned[i], r)
	}
}

// step does something.
func (m *refModel) step(t *testing.T) {
	i := m.rng.IntN(len(m.rts))
	th := m.rts[i].Current()
	r, at := m.any(i)
	k, _ := m.any(i)
	fail := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	op := m.rng.IntN(12)
	if at < 0 || len(m.slot) < 3 {
		op = 0
	}
	slot := m.rng.IntN(keeperSlots)
	switch op {
	case 0:
		if len(m.slot) > 12 {
			return
		}
		r, err := New[keeper](th, Options{On: m.rts[m.rng.IntN(3)].self, Capacity: 64 << 10})
		fail("New", err)
		m.note("%d: new %v", i, r.id)
		m.slot[r.id] = &[keeperSlots]Ref[keeper]{}
		m.all = append(m.all, r)
		m.own(i, r)
	case 1:
		m.note("%d: clone %v", i, r.id)
		c, err := r.Clone(th)
		fail("Clone", err)
		m.own(i, c)
	case 2, 3:
		m.note("%d: release %v", i, r.id)
		fail("Release", Release(th, r))
		m.owned[i] = slices.Delete(m.owned[i], at, at+1)
	case 4, 5:
		m.note("%d: %v keeps %v at %d", i, k.id, r.id, slot)
		_, err := Call(th, k, (*keeper).Put, keep{slot, r})
		fail("Put", err)
		m.slot[k.id][slot] = r
	case 6:
		m.note("%d: %v clears %d", i, k.id, slot)
		_, err := Call(th, k, (*keeper).Put, keep{Slot: slot})
		fail("Put", err)
		m.slot[k.id][slot] = Ref[keeper]{}
	case 7:
		m.note("%d: what %v has at %d", i, k.id, slot)
		got, err := Call(th, k, (*keeper).Get, slot)
		fail("Get", err)
		if got != m.slot[k.id][slot] {
			t.Fatalf("%v has %v at %d, want %v", k.id, got.id, slot, m.slot[k.id][slot].id)
		}
		m.own(i, got)
	case 8:
		m.note("%d: what %v has", i, k.id)
		e, err := Call(th, k, (*keeper).All, struct{}{})
		fail("All", err)
		for _, got := range e.all() {
			m.own(i, got)
		}
	case 9:
		p := pass{Ref: r, Put: keep{Slot: slot}}
		last := k
		for range m.rng.IntN(4) {
			last, _ = m.any(i)
			p.Via = append(p.Via, last)
		}
		m.note("%d: pass %v via %v to %d", i, r.id, p.Via, slot)
		f := Go(th, k, (*keeper).Pass, p)
		if m.rng.IntN(2) == 0 {
			m.move(t, r)
		}
		got, err := f.Wait(th)
		fail("Pass", err)
		m.own(i, got)
		m.slot[last.id][slot] = r
	case 10:
		m.move(t, r)
	case 11:
		if m.rng.IntN(4) > 0 {
			return
		}
		m.note("%d: destroy %v", i, r.id)
		fail("Destroy", Destroy(th, r))
		delete(m.slot, r.id)
	}
}

func (m *refModel) move(t *testing.T, r Ref[keeper]) {
	from := ownerOf(t, nil, r.id)
	to := m.rts[m.rng.IntN(len(m.rts))]
	if from != to {
		m.note("move %v to %d", r.id, to.self)
		move(t, from, to, r.id)
	}
}

func (m *refModel) check(t *testing.T) {
	t.Helper()
	counts := m.count()
	for _, r := range m.all {
		want := counts[r.id]
		if m.slot[r.id] == nil {
			want = 0
		}
		wantHolders(t, m.rts, r.id, want)
		closed := int64(0)
		if m.slot[r.id] == nil {
			closed = 1
		}
		if got := closesOf(r.id); got != closed {
			t.Fatalf("Close of %v was called %d times, want %d", r.id, got, closed)
		}
	}
}

// Random sequences of everything that can be done with Refs, against a model.
func TestRefsModel(t *testing.T) {
	for range 6 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			_, rts := newSegment(t, 3)
			frames := mm.Frames()
			m := &refModel{rts: rts, rng: rand.New(rand.NewPCG(seed, 0)), owned: make([][]Ref[keeper], 3), slot: map[ID]*[keeperSlots]Ref[keeper]{}}
			defer func() {
				if t.Failed() {
					for _, l := range m.log {
						t.Log(l)
					}
				}
			}()
			for step := range 300 {
				m.step(t)
				if step%7 == 0 {
					m.check(t)
				}
			}
			m.check(t)
			for i, own := range m.owned {
				for _, r := range own {
					if err := Release(rts[i].Current(), r); err != nil {
						t.Fatal(err)
					}
				}
				m.owned[i] = nil
			}
			m.check(t)
			for id := range m.slot { // those in circles
				if err := rts[0].Destroy(id); err != nil {
					t.Fatal(err)
				}
				delete(m.slot, id)
				m.check(t)
			}
			waitFor(t, "all frames to be free", func() bool { return mm.Frames() == frames })
		})
	}
}
