// Package copies copies what must stay where it is, and what need not.
package copies

import "nuos/proclet"

type S struct {
	mu    proclet.Mutex
	byID  proclet.Map[int, entry]
	spare [2]proclet.Slice[int]
	ref   proclet.Ref[S]
	name  proclet.String
}

type entry struct {
	n    int
	list proclet.Slice[int]
}

func (s *S) Copies(t *proclet.Thread, id int) (int, error) {
	m := s.byID // want `assignment copies a proclet\.Map\[int, copies\.entry\]: the copy and the original would own the same; use a pointer`
	e := s.byID.Get(id)
	*e = *s.byID.Get(id + 1)       // want `assignment copies a copies\.entry, which contains a proclet\.Slice\[int\]`
	var two = s.spare              // want `declaration copies a \[2\]proclet\.Slice\[int\], which contains a proclet\.Slice\[int\]`
	for _, list := range s.spare { // want `range copies a proclet\.Slice\[int\]: the copy and the original would own the same; range over indices`
		_ = list.Len()
	}
	s.byID.Put(t, id, *e)              // want `call copies a copies\.entry`
	give(s.mu)                         // want `call copies a proclet\.Mutex`
	both := entry{n: 1, list: *some()} // want `literal copies a proclet\.Slice\[int\]`
	_, _, _ = m.Len(), two, both.n
	return 0, nil
}

func some() *proclet.Slice[int] { return nil }

func give(mu proclet.Mutex) {} // want `parameter copies a proclet\.Mutex: the copy and the original would own the same; use a pointer`

func (e entry) Len() int { return e.list.Len() } // want `parameter copies a copies\.entry, which contains a proclet\.Slice\[int\]`

func first(s *S) proclet.Slice[int] {
	return s.spare[0] // want `return copies a proclet\.Slice\[int\]`
}

func (s *S) Fine(t *proclet.Thread, id int) (proclet.Ref[S], error) {
	s.byID.Put(t, id, entry{n: 1})
	m, list := &s.byID, &s.spare[0]
	for i := range s.spare {
		list = &s.spare[i]
	}
	_ = s.mu
	name := s.name.String()
	_, _, _, _ = m, list, name, len(s.spare)
	return s.ref, nil
}
