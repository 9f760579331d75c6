package mm

import "syscall"

// MADV_COLLAPSE makes large pages of small ones at once. It does what is asked or says why
// it cannot, as Linux does: EINVAL where there is nothing that can be collapsed, ENOMEM
// without 2 MiB in a row.

// collapse is MADV_COLLAPSE for r, which lies in a: for all blocks of 2 MiB that lie in r.
// One of which no page is there is an error, after the others were done.
// Precondition: mu is held.
func (s *Space) collapse(a area, r Range) syscall.Errno {
	lowest := Range{Virt(roundUp(uint64(a.start), LargePage)), LargePage}
	if a.file.ID != 0 || a.program || a.pages == pagesSmall || !a.span().covers(lowest) || s.tables.empty(a.span()) {
		return eInval
	}
	begin, end := Virt(roundUp(uint64(r.Base), LargePage)), Virt(roundDown(uint64(r.End()), LargePage))
	if begin > end {
		return eInval
	}
	errno := ok
	for v := begin; v < end; v += LargePage {
		switch e := s.collapseBlock(v, a.prot); e {
		case ok:
		case eInval:
			errno = e
		default:
			return e
		}
	}
	return errno
}

// collapseBlock collapses the 2 MiB at v, whose pages have the protection p. They are nowhere
// mapped while they are copied: who touches them meanwhile waits in Fault.
func (s *Space) collapseBlock(v Virt, p Prot) syscall.Errno {
	t := &s.tables
	e, level, small := t.leaf(v)
	switch {
	case level > 0 && e != 0:
		return ok // it is large already
	case level > 0 || !t.allOwned(small):
		return eInval
	}
	run, found := t.frames.alloc(largeOrder, Program)
	if !found {
		return eNoMem
	}
	block, above := Range{v, LargePage}, t.table(v, 1, false)
	t.store(above, indexOf(v, 1), 0)
	flush(block)
	for i := range 512 {
		if e := t.load(small, i); e != 0 {
			to := t.frames.at(run) + Virt(i*PageSize)
			copy(bytesAt(to, PageSize), bytesAt(t.frames.at(Phys(e&entryAddress)), PageSize))
		}
	}
	if p&ProtExec != 0 && !t.seal(run, LargePage) {
		t.store(above, indexOf(v, 1), entry(small)|entryPresent|entryWrite)
		t.frames.release(run, Program)
		return eNoMem
	}
	t.store(above, indexOf(v, 1), entry(run)|p.entry()|entryOwned|entryLarge)
	var g gather
	for i := range 512 {
		if e := t.load(small, i); e != 0 {
			if executable(e) {
				t.unseal(Phys(e&entryAddress), PageSize)
			}
			t.store(small, i, 0)
			t.collect(&g, Phys(e&entryAddress))
		}
	}
	t.collect(&g, small)
	t.finish(&g, block) // nobody remembers them since the flush
	return ok
}

// allOwned reports whether there are pages in a table of level 0, and all are memory that
// can be another frame's, without a guard.
func (t *tables) allOwned(table Phys) bool {
	for i := range 512 {
		if e := t.load(table, i); e != 0 && e&(entryOwned|entryGuard) != entryOwned {
			return false
		}
	}
	return t.frames.record(number(table)).prev != 0
}
