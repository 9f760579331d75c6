package mm

import "syscall"

// Large pages for anonymous memory. One fault brings 512 pages at once, and the
// processor remembers one translation in their place; but who touches a word needs
// 2 MiB. So they are for memory that grows: a large page comes behind, or in front of,
// 2 MiB that are full already. Programs that stay small have none, and neither have
// tables that are large and mostly empty. MADV_HUGEPAGE asks for them at once, and
// MADV_NOHUGEPAGE for none.
//
// Whatever is done to a part of a large page cuts it into small ones first.

// pageAdvice is what the program has said about the size of an area's pages.
type pageAdvice uint8

const (
	pagesAsTheyCome pageAdvice = iota
	pagesLarge
	pagesSmall
)

// faultLarge resolves a fault at v, where a is and nothing is mapped, with a large page,
// and reports whether it did. At least a quarter of the memory must be free: when it
// gets scarce, no page is brought that is not needed.
// Precondition: mu is held.
func (s *Space) faultLarge(v Virt, a *area) bool {
	t := &s.tables
	block := Range{v &^ (LargePage - 1), LargePage}
	if a.pages == pagesSmall || a.prot&ProtExec != 0 || !a.span().covers(block) {
		return false
	}
	if _, level, _ := t.leaf(v); level == 0 {
		return false // it has small pages already
	}
	if a.pages != pagesLarge && !t.filled(block.Base-1) && !t.filled(block.End()) {
		return false
	}
	if u := t.frames.ledger.read(); u.Free < u.Total/4 || !t.frames.hasRun(largeOrder) {
		return false
	}
	table := t.table(block.Base, 1, true)
	if table == 0 {
		return false
	}
	run, found := t.frames.alloc(largeOrder, Program)
	if !found {
		return false
	}
	t.store(table, indexOf(block.Base, 1), entry(run)|a.prot.entry()|entryOwned|entryLarge)
	return true
}

// filled reports whether all of the 2 MiB around v are mapped.
func (t *tables) filled(v Virt) bool {
	e, level, table := t.leaf(v)
	switch level {
	case 0:
		return t.frames.record(number(table)).prev == 512
	case 1:
		return e != 0
	}
	return false
}

// adviseSize is madvise(2) for MADV_HUGEPAGE and MADV_NOHUGEPAGE. It is about pages
// that are to come.
// Precondition: mu is held.
func (s *Space) adviseSize(r Range, pages pageAdvice) syscall.Errno {
	f := &s.tables.frames
	errno := ok
	if !s.areas.covered(f, r) {
		errno = eNoMem
	}
	// No page is in two areas.
	if !s.areas.reserve(f, 2) || !s.tables.cut(r.Base) || !s.tables.cut(r.End()) {
		return eNoMem
	}
	i, j := s.areas.isolate(f, r)
	for k := i; k < j; k++ {
		s.areas.at(f, k).pages = pages
	}
	s.areas.merge(f, i, j)
	return errno
}
