package mm

// Bits of a page fault's error code: SDM 3A, 4.7.
const (
	faultPresent = 1 << 0 // a protection was violated; else no page was there
	faultWrite   = 1 << 1
	faultReserve = 1 << 3 // a table has reserved bits set
	faultFetch   = 1 << 4
)

// Fault resolves a page fault at addr: the first touch of a page maps a zeroed
// frame. It reports false for a real fault: an address that is not mapped, an
// access that the area does not allow, or no frame left (see Exhausted); for a page
// with a guard; and for one of a file, which FileFault names.
func (s *Space) Fault(addr Virt, code uint64) bool {
	if code&faultReserve != 0 || HeapArea.Contains(addr) {
		return false
	}
	interrupts := s.mu.lock()
	resolved := s.fault(addr, code)
	s.mu.unlock(interrupts)
	return resolved
}

// Precondition: mu is held.
func (s *Space) fault(addr Virt, code uint64) bool {
	f := &s.tables.frames
	i := s.areas.search(f, addr)
	if i == s.areas.count {
		return false
	}
	a := s.areas.all(f)[i]
	if addr < a.start || !allowed(a.prot, code) {
		return false
	}
	page := Range{addr &^ (PageSize - 1), PageSize}
	e, _, _ := s.tables.leaf(addr)
	if e&entryPresent != 0 {
		// Another processor has mapped the page, or given it the protection,
		// since this one looked: only its own memory of it is stale.
		FlushLocal(page)
		return true
	}
	if a.file.ID != 0 || e&entryGuard != 0 {
		return false
	}
	if !a.program && s.faultLarge(addr, &a) {
		return true
	}
	if a.program || !s.populate(page, a.prot) {
		s.exhausted++
		return false
	}
	return true
}

// allowed reports whether p allows the access that code describes.
func allowed(p Prot, code uint64) bool {
	switch {
	case code&faultWrite != 0:
		return p&ProtWrite != 0
	case code&faultFetch != 0:
		return p&ProtExec != 0
	}
	return p != ProtNone
}

// populate maps zeroed frames to those pages of r, which is inside one area of
// the protection p, that have none. It reports false when frames run out;
// pages that it mapped stay.
// Precondition: mu is held.
func (s *Space) populate(r Range, p Prot) bool {
	t := &s.tables
	for v := r.Base; v < r.End(); v += PageSize {
		if e, _, _ := t.leaf(v); e != 0 {
			continue
		}
		table := t.table(v, 0, true)
		if table == 0 {
			return false
		}
		run, found := t.frames.alloc(0, Program)
		if !found {
			return false
		}
		if p&ProtExec != 0 && !t.seal(run, PageSize) {
			t.frames.release(run, Program)
			return false
		}
		t.store(table, indexOf(v, 0), entry(run)|p.entry()|entryOwned)
	}
	return true
}

// Exhausted counts the faults that failed because no frame was left, as
// opposed to those of a wild pointer.
func (s *Space) Exhausted() uint64 {
	interrupts := s.mu.lock()
	n := s.exhausted
	s.mu.unlock(interrupts)
	return n
}
