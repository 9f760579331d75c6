package mm

import "syscall"

// Madvise is madvise(2). MADV_DONTNEED and MADV_FREE give frames back at once: the
// pages read as zeros afterwards, or as their file. Most other advice is about what
// there is not here: other processes, a disk to page out to, dumps.
//
// Pages that are not mapped are ENOMEM, after the rest was done, and so is a lack of
// frames for MADV_POPULATE_READ and _WRITE. Of mappings of files, which are the
// kernel's to bring, these two only look at the protection.
func (s *Space) Madvise(addr Virt, length uint64, advice int) syscall.Errno {
	r := Range{addr, roundUp(length, PageSize)}
	if !known(advice) || uint64(addr)%PageSize != 0 || r.Size < length || r.End() < r.Base {
		return eInval
	}
	if length == 0 {
		return ok
	}
	interrupts := s.mu.lock()
	errno := s.advise(r, advice)
	s.mu.unlock(interrupts)
	return errno
}

// known reports whether there is such advice.
func known(advice int) bool {
	switch advice {
	case madvNormal, madvRandom, madvSequential, madvWillNeed, madvDontNeed:
		return true
	}
	return advice >= madvFree && advice <= madvCollapse
}

// Precondition: mu is held.
func (s *Space) advise(r Range, advice int) syscall.Errno {
	f := &s.tables.frames
	switch advice {
	case madvHugePage:
		return s.adviseSize(r, pagesLarge)
	case madvNoHugePage:
		return s.adviseSize(r, pagesSmall)
	}
	holes := false
	for v := r.Base; v < r.End(); {
		i := s.areas.search(f, v)
		a := s.areas.at(f, i)
		if a == nil || a.start >= r.End() {
			return eNoMem
		}
		holes = holes || a.start > v
		if advice == madvPopulateRead || advice == madvPopulateWrite {
			if holes {
				return eNoMem
			}
		}
		part := Range{max(a.start, v), 0}
		v = min(a.end, r.End())
		part.Size = uint64(v - part.Base)
		if errno := s.adviseArea(*a, part, advice); errno != ok {
			return errno
		}
	}
	if holes {
		return eNoMem
	}
	return ok
}

// adviseArea is advise for r, which lies in a.
func (s *Space) adviseArea(a area, r Range, advice int) syscall.Errno {
	anonymous := a.file.ID == 0 && !a.shared
	switch advice {
	case madvDontNeed, madvDontNeedLocked:
		switch {
		case a.program:
			return eInval // its content is not to be had again
		case a.shared:
			return ok // it is kept for other mappings of it, which there are not
		}
		return s.discard(r)
	case madvFree:
		if !anonymous || a.program {
			return eInval
		}
		return s.discard(r)
	case madvRemove:
		switch {
		case a.file.ID == 0 && !a.shared:
			return eInval
		case a.prot&ProtWrite == 0 && a.file.ReadOnly || a.file.ID != 0 && !a.file.Shared:
			return eAcces
		case a.file.ID != 0:
			return eOpNotSupp
		}
		return s.discard(r)
	case madvCollapse:
		return s.collapse(a, r)
	case madvWipeOnFork:
		if !anonymous {
			return eInval
		}
	case madvPopulateRead, madvPopulateWrite:
		code := uint64(0)
		if advice == madvPopulateWrite {
			code = faultWrite
		}
		switch {
		case !allowed(a.prot, code):
			return eInval
		case a.file.ID == 0 && !a.program && !s.populate(r, a.prot):
			return eNoMem
		}
	}
	return ok
}

// discard gives the frames of r back.
func (s *Space) discard(r Range) syscall.Errno {
	if !s.tables.cut(r.Base) || !s.tables.cut(r.End()) {
		return eNoMem
	}
	s.tables.unmapRange(r)
	return ok
}

// Resident is mincore(2) for the pages from v on, as many as bytes are in into: 1 for
// a page that is in memory, and 0 for one that is not yet. ENOMEM if a page is not
// mapped. Pages of files count as soon as they were touched through the mapping.
func (s *Space) Resident(v Virt, into []byte) syscall.Errno {
	errno := ok
	interrupts := s.mu.lock()
	if !s.areas.covered(&s.tables.frames, Range{v, uint64(len(into)) * PageSize}) {
		errno = eNoMem
	}
	for i := range into {
		into[i] = 0
		if e, _, _ := s.tables.leaf(v + Virt(i)*PageSize); e != 0 {
			into[i] = 1
		}
	}
	s.mu.unlock(interrupts)
	return errno
}
