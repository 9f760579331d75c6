package mm

import "syscall"

// Mremap is mremap(2): the mapping at addr becomes size bytes long, where it is or, if
// it may move, elsewhere. The pages keep their content. EFAULT means that not all of
// the old range is in one mapping. Proclet heaps and the program itself stay as they
// are (EINVAL).
func (s *Space) Mremap(addr Virt, oldSize, newSize, flags uint64, to Virt) (Virt, syscall.Errno) {
	from := Range{addr, roundUp(oldSize, PageSize)}
	size := roundUp(newSize, PageSize)
	switch {
	case flags&^(remapMayMove|remapFixed|remapDontUnmap) != 0,
		flags&(remapFixed|remapDontUnmap) != 0 && flags&remapMayMove == 0,
		flags&remapDontUnmap != 0 && from.Size != size,
		uint64(addr)%PageSize != 0,
		newSize == 0, size < newSize, size > addressLimit,
		from.Size < oldSize, !userRange(from):
		return 0, eInval
	}
	target := Range{to, size}
	if flags&(remapFixed|remapDontUnmap) != 0 && (uint64(to)%PageSize != 0 || !userRange(target) || from.overlaps(target)) {
		return 0, eInval
	}
	if flags&remapFixed != 0 {
		switch {
		case to < lowest:
			return 0, ePerm
		case !mappable(target):
			return 0, eInval
		}
	}
	interrupts := s.mu.lock()
	v, errno := s.remap(from, target, flags)
	s.mu.unlock(interrupts)
	return v, errno
}

// remap changes from, of which at least the first page must be mapped, to the size of
// target, whose begin is meant if the flags say so.
// Precondition: mu is held.
func (s *Space) remap(from, target Range, flags uint64) (Virt, syscall.Errno) {
	f := &s.tables.frames
	a := s.areas.at(f, s.areas.search(f, from.Base))
	if a == nil || a.start > from.Base {
		return 0, eFault
	}
	old := *a
	if old.program || HeapArea.Contains(from.Base) {
		return 0, eInval
	}
	moves := flags&(remapFixed|remapDontUnmap) != 0
	switch {
	case from.Size == target.Size && !moves:
		return from.Base, ok
	case from.Size > target.Size && !moves:
		return from.Base, s.unmap(Range{from.Base + Virt(target.Size), from.Size - target.Size})
	case from.Size == 0, flags&remapDontUnmap != 0 && old.shared:
		return 0, eInval // a second view of shared memory, which is not had so
	case from.Base+Virt(min(from.Size, target.Size)) > old.end:
		return 0, eFault
	}
	if !moves {
		more := Range{from.End(), target.Size - from.Size}
		inPlace := from.End() == old.end && mappable(more) && s.areas.isFree(f, more)
		switch {
		case old.prot&ProtWrite != 0 && s.overcommits(more, &old):
			return 0, eNoMem
		case inPlace:
			if !s.areas.reserve(f, 1) {
				return 0, eNoMem
			}
			grown := old.from(more.Base)
			grown.end = more.End()
			i := s.areas.search(f, more.Base)
			s.areas.insert(f, i, grown)
			s.areas.merge(f, i, i+1)
			return from.Base, ok
		case flags&remapMayMove == 0:
			return 0, eNoMem
		}
	}
	return s.move(from, target, old.from(from.Base), flags)
}

// move makes target, or addresses that it finds, what the begin of from is. The new
// area continues from's, which is a.
func (s *Space) move(from, target Range, a area, flags uint64) (Virt, syscall.Errno) {
	f, t := &s.tables.frames, &s.tables
	kept := Range{from.Base, min(from.Size, target.Size)}
	if flags&remapFixed == 0 {
		if flags&remapDontUnmap == 0 {
			target.Base = 0 // else it is a hint
		}
		v, found := s.place(target)
		if !found {
			return 0, eNoMem
		}
		target.Base = v
	} else {
		if errno := s.unmap(target); errno != ok {
			return 0, errno
		}
	}
	if !s.areas.reserve(f, 4) || !t.cut(kept.Base) || !t.cut(kept.End()) || !t.move(kept, target.Base) {
		return 0, eNoMem
	}
	a.start, a.end = target.Base, target.End()
	i := s.areas.search(f, a.start)
	s.areas.insert(f, i, a)
	s.areas.merge(f, i, i+1)
	if flags&remapDontUnmap == 0 {
		// Splitting needs no room: it was reserved.
		if errno := s.unmap(from); errno != ok {
			return 0, errno
		}
	}
	return target.Base, ok
}
