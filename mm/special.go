package mm

import "syscall"

// The parts of the address space that have no areas: proclet heaps, memory for
// devices, device registers, and stacks of the kernel. What is mapped there stands in the page
// tables alone, because there may be ten thousands of heaps.

// mapHeap backs a range of HeapArea.
func (s *Space) mapHeap(r Range, p Prot, flags uint64) (Virt, syscall.Errno) {
	if !r.pageAligned() || flags&mapFixedNoReplace == 0 || flags&mapPopulate == 0 || p == ProtNone {
		return 0, eInval
	}
	errno := eNoMem
	interrupts := s.mu.lock()
	if !s.tables.empty(r) {
		errno = eExist
	} else if s.tables.back(r, Heaps, p, flags&mapUsed == 0) {
		errno = ok
	}
	s.mu.unlock(interrupts)
	return r.Base, errno
}

// unmapHeap frees a range of HeapArea, all of which must be mapped.
func (s *Space) unmapHeap(r Range) syscall.Errno {
	errno := eNoMem
	interrupts := s.mu.lock()
	if !s.tables.full(r) {
		errno = eInval
	} else if s.tables.cut(r.Base) && s.tables.cut(r.End()) {
		s.tables.unmapRange(r)
		errno = ok
	}
	s.mu.unlock(interrupts)
	return errno
}

// watchHeap cuts large pages of a range of HeapArea, all of which is mapped, so that the
// processor says of small ones whether they are written, and has all processors forget
// that they have said so.
func (s *Space) watchHeap(r Range) syscall.Errno {
	if !r.pageAligned() {
		return eInval
	}
	errno := ok
	interrupts := s.mu.lock()
	for v := r.Base; v < r.End() && errno == ok; v = v&^(LargePage-1) + LargePage {
		switch e, level, _ := s.tables.leaf(v); {
		case e == 0:
			errno = eInval
		case level > 0 && !s.tables.cut(v&^(LargePage-1)+PageSize):
			errno = eNoMem
		}
	}
	flush(r)
	s.mu.unlock(interrupts)
	return errno
}

// mapDMA allocates memory for devices; the direct map shows it.
func (s *Space) mapDMA(size uint64) (Virt, syscall.Errno) {
	v, found := s.tables.allocDMA(size)
	if !found {
		return 0, eNoMem
	}
	return v, ok
}

// unmapDMA frees what mapDMA allocated.
func (s *Space) unmapDMA(r Range) syscall.Errno {
	if !s.tables.freeDMA(r) {
		return eInval
	}
	return ok
}

// MapDevice makes device registers visible, uncached, for ever: addresses are
// never reused, because the area has room for every BAR of a machine many
// times over. Errors: EINVAL, ENOMEM.
func (s *Space) MapDevice(p Phys, size uint64) (Virt, syscall.Errno) {
	regs := PhysRange{p, size}
	offset := uint64(regs.Base) % PageSize
	r := Range{0, roundUp(regs.Size+offset, PageSize)}
	if regs.Size == 0 || r.Size < regs.Size || uint64(regs.End()) > uint64(entryAddress) {
		return 0, eInval
	}
	const flags = entryPresent | entryWrite | entryNoExec | entryNoCache | entryThrough
	errno := eNoMem
	interrupts := s.mu.lock()
	r.Base = s.nextDevice
	if r.Size >= LargePage {
		// Large pages fit if both addresses have the same offset in them.
		base := roundUp(uint64(r.Base), LargePage) + uint64(regs.Base-Phys(offset))%LargePage
		r.Base = Virt(base)
	}
	if DeviceArea.covers(r) && s.tables.mapRange(r, regs.Base-Phys(offset), flags, 1) {
		s.nextDevice = r.End()
		errno = ok
	}
	s.mu.unlock(interrupts)
	return r.Base + Virt(offset), errno
}

// MapStack makes a stack for the kernel, for ever. The pages below and above it are
// not mapped, so that who leaves it faults, and it lies higher than those before.
// False means that there is no memory.
func (s *Space) MapStack(size uint64) (Range, bool) {
	interrupts := s.mu.lock()
	r := Range{s.nextStack + PageSize, roundUp(size, PageSize)}
	mapped := KernelArea.covers(r) && s.tables.back(r, Kernel, ProtRead|ProtWrite, true)
	if mapped {
		s.nextStack = r.End()
	}
	s.mu.unlock(interrupts)
	return r, mapped
}
