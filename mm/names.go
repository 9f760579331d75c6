package mm

import "syscall"

// Name gives the anonymous memory in a range a name, for those who look where memory
// is: a number, of which the caller knows the text, and 0 for none. Like advice it
// goes past what is not mapped, which is ENOMEM; the memory of files is EBADF.
func (s *Space) Name(addr Virt, length uint64, name uint8) syscall.Errno {
	r := Range{addr, roundUp(length, PageSize)}
	if uint64(addr)%PageSize != 0 || r.Size < length || r.End() < r.Base {
		return eInval
	}
	if r.Size == 0 {
		return ok
	}
	interrupts := s.mu.lock()
	errno := s.name(r, name)
	s.mu.unlock(interrupts)
	return errno
}

// Precondition: mu is held.
func (s *Space) name(r Range, name uint8) syscall.Errno {
	f := &s.tables.frames
	errno := ok
	if !s.areas.covered(f, r) {
		errno = eNoMem
	}
	if !s.areas.reserve(f, 2) || !s.tables.cut(r.Base) || !s.tables.cut(r.End()) {
		return eNoMem
	}
	i, j := s.areas.isolate(f, r)
	for k := i; k < j; k++ {
		a := s.areas.at(f, k)
		if a.file.ID != 0 || a.program {
			errno = eBadF
			break
		}
		a.name = name
	}
	s.areas.merge(f, i, j)
	return errno
}

// ResidentPages counts the frames that a range has, those of mapped files included.
func (s *Space) ResidentPages(r Range) (n uint64) {
	interrupts := s.mu.lock()
	for v := r.Base; v < r.End(); {
		e, level, _ := s.tables.leaf(v)
		end := min(v&^Virt(pageSize(level)-1)+Virt(pageSize(level)), r.End())
		if e != 0 {
			n += uint64(end-v) / PageSize
		}
		v = end
	}
	s.mu.unlock(interrupts)
	return n
}
