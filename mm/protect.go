package mm

import "syscall"

// Mprotect is mprotect(2). Where a page of the range is not mapped, or may not get
// the protection, it ends, with ENOMEM or EACCES; what comes before is changed, as on
// Linux. Beyond Linux, memory is never written and executed, and the program as it was
// loaded keeps its protection (EACCES). Proclet heaps cannot be protected.
func (s *Space) Mprotect(addr Virt, length uint64, p Prot) syscall.Errno {
	const semaphore = 8 // PROT_SEM, which means nothing here
	r := Range{addr, roundUp(length, PageSize)}
	p &^= semaphore
	switch {
	case uint64(addr)%PageSize != 0:
		return eInval
	case length == 0:
		return ok
	case r.End() <= r.Base || r.Size < length:
		return eNoMem
	case p&^(ProtRead|ProtWrite|ProtExec) != 0:
		return eInval
	case !p.valid():
		return eAcces
	}
	interrupts := s.mu.lock()
	errno := s.protect(r, p)
	s.mu.unlock(interrupts)
	return errno
}

// Precondition: mu is held.
func (s *Space) protect(r Range, p Prot) syscall.Errno {
	f := &s.tables.frames
	r, errno := s.protectable(r, p)
	if r.Size == 0 {
		return errno
	}
	if !s.areas.reserve(f, 2) || !s.tables.cut(r.Base) || !s.tables.cut(r.End()) ||
		p&ProtExec != 0 && !s.tables.sealRange(r) {
		return eNoMem
	}
	i, j := s.areas.isolate(f, r)
	s.tables.protect(r, p)
	for k := i; k < j; k++ {
		a := &s.areas.all(f)[k]
		if a.prot&ProtExec != 0 && p&ProtExec == 0 {
			s.tables.unsealRange(a.span())
		}
		a.prot = p
	}
	s.areas.merge(f, i, j)
	return errno
}

// protectable returns the part of r, from its begin, that may get the protection, and
// what is wrong with the rest.
func (s *Space) protectable(r Range, p Prot) (Range, syscall.Errno) {
	f := &s.tables.frames
	v := r.Base
	for i := s.areas.search(f, v); v < r.End(); i++ {
		errno := ok
		switch a := s.areas.at(f, i); {
		case a == nil || a.start > v:
			errno = eNoMem
		case a.program || a.file.refuses(p):
			errno = eAcces
		case p&^a.prot&ProtWrite != 0 && !a.shared && s.overcommits(Range{v, uint64(min(a.end, r.End()) - v)}, a):
			errno = eNoMem
		default:
			v = a.end
		}
		if errno != ok {
			return Range{r.Base, uint64(v - r.Base)}, errno
		}
	}
	return r, ok
}
