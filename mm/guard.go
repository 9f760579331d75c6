package mm

// Guards. A page with a guard keeps its frame, its area and its protection, but faults
// at every access, so that the kernel notices who runs into it. The program cannot tell, if the
// kernel takes the guard away from under everybody else.
//
// A guard is for one thread, which is not worth interrupting all processors: each but the one
// that puts it there may remember the page as it was, until it calls FlushLocal.

// Guard puts a guard on the page at v, and reports false where there is no anonymous memory
// to be written, or no frame. It is gone when the page is, and when its protection is set.
func (s *Space) Guard(v Virt) bool {
	interrupts := s.mu.lock()
	done := s.guard(Range{v, PageSize})
	s.mu.unlock(interrupts)
	return done
}

// Precondition: mu is held.
func (s *Space) guard(page Range) bool {
	t := &s.tables
	a := s.areas.at(&t.frames, s.areas.search(&t.frames, page.Base))
	if a == nil || !a.span().covers(page) || a.program || a.file.ID != 0 || a.prot&ProtWrite == 0 ||
		!s.populate(page, a.prot) || !t.cut(page.Base) || !t.cut(page.End()) {
		return false
	}
	e, _, table := t.leaf(page.Base)
	t.store(table, indexOf(page.Base, 0), withProt(e, ProtNone)|entryGuard)
	FlushLocal(page)
	return true
}

// Unguard takes the guard off the page at v, and reports whether there was one.
func (s *Space) Unguard(v Virt) bool {
	interrupts := s.mu.lock()
	e, _, table := s.tables.leaf(v)
	guarded := e&entryGuard != 0
	if guarded {
		f := &s.tables.frames
		s.tables.store(table, indexOf(v, 0), withProt(e, s.areas.at(f, s.areas.search(f, v)).prot))
	}
	s.mu.unlock(interrupts)
	return guarded
}
