package mm

import (
	"sync/atomic"
	"syscall"
)

// Space is the machine's one address space: its areas, its page tables and its
// frames. It implements the memory system calls of the program's runtime.
//
// All methods may be called from system-call handlers and from a page-fault
// handler on any processor: they do not allocate from Go's heap, have no write
// barriers and wait for nothing but a spinlock and Hooks.Flush. They must not
// be called from a goroutine (see spinlock). Memory of the program is never
// touched, only frames through the direct map, so that no fault nests inside.
//
// A call holds the lock until its flush is done: neither an address nor a
// frame is reused before.
type Space struct {
	tables tables

	mu    spinlock
	areas areaList
	// nextAnon is where the search for free addresses begins, so that an
	// address is reused as late as possible.
	nextAnon   Virt
	nextDevice Virt
	exhausted  uint64

	fileUnmaps atomic.Uint64
}

// lowest is the lowest address that may be mapped: what is below belongs to
// nil pointers with offsets.
const lowest Virt = 64 << 10

// goArea is where the program and Go's heap are.
var goArea = Range{lowest, 0x4000_0000_0000 - uint64(lowest)}

// init prepares a Space whose frames were added.
func (s *Space) init() bool {
	s.nextAnon, s.nextDevice = AnonArea.Base, DeviceArea.Base
	return s.tables.init() && s.areas.init(&s.tables.frames)
}

// mappable reports whether the program may map r at an address it chooses.
func mappable(r Range) bool {
	return goArea.covers(r) || StackArea.covers(r) || AnonArea.covers(r)
}

// Mmap is mmap(2) for anonymous memory; a length is rounded up to pages. It
// returns EINVAL for a bad address, length or flag, EACCES for memory that is
// to be written and executed, EEXIST for MAP_FIXED_NOREPLACE, ENOMEM, and
// ENODEV for a mapping of a file, which is MmapFile's.
//
// A hint is followed if its range is free and the program's to map. In
// HeapArea only MAP_FIXED_NOREPLACE with MAP_POPULATE is possible: all or
// nothing, and not on demand.
func (s *Space) Mmap(addr Virt, length uint64, p Prot, flags uint64) (Virt, syscall.Errno) {
	size := roundUp(length, PageSize)
	if length == 0 || size < length || size > 1<<47 {
		return 0, eInval
	}
	if !p.valid() {
		return 0, eAcces
	}
	r := Range{addr, size}
	switch {
	case flags&mapDMA != 0:
		return s.mapDMA(size)
	case flags&mapDevice != 0:
		return s.MapDevice(Phys(addr), length)
	case flags&mapAnonymous == 0:
		return 0, eNoDev
	case HeapArea.covers(r):
		return s.mapHeap(r, p, flags)
	}
	interrupts := s.mu.lock()
	v, errno := s.mapArea(r, p, flags, File{})
	if errno == ok && flags&mapPopulate != 0 && p != ProtNone {
		s.populate(Range{v, size}, p) // as far as there are frames, as on Linux
	}
	s.mu.unlock(interrupts)
	return v, errno
}

// mapArea adds an area.
// Precondition: mu is held.
func (s *Space) mapArea(r Range, p Prot, flags uint64, file File) (Virt, syscall.Errno) {
	f := &s.tables.frames
	if !s.areas.reserve(f, 3) {
		return 0, eNoMem
	}
	aligned := uint64(r.Base)%PageSize == 0
	switch {
	case flags&mapFixedNoReplace != 0:
		if !aligned || !mappable(r) {
			return 0, eInval
		}
		if !s.areas.isFree(f, r) {
			return 0, eExist
		}
	case flags&mapFixed != 0:
		if !aligned || !mappable(r) {
			return 0, eInval
		}
		if errno := s.unmap(r); errno != ok {
			return 0, errno
		}
	default:
		r.Base = Virt(roundDown(uint64(r.Base), PageSize))
		if !mappable(r) || !s.areas.isFree(f, r) {
			v, found := s.areas.firstGap(f, AnonArea, s.nextAnon, r.Size)
			if !found {
				v, found = s.areas.firstGap(f, AnonArea, AnonArea.Base, r.Size)
			}
			if !found {
				return 0, eNoMem
			}
			r.Base, s.nextAnon = v, v+Virt(r.Size)
		}
	}
	i := s.areas.search(f, r.Base)
	s.areas.insert(f, i, area{start: r.Base, end: r.End(), file: file, prot: p})
	s.areas.merge(f, i, i+1)
	return r.Base, ok
}

// Munmap is munmap(2). It also gives back what AllocDMA and Map got. ENOMEM
// means that there was no frame to split a page or an area; nothing was
// changed then.
func (s *Space) Munmap(addr Virt, length uint64) syscall.Errno {
	r := Range{addr, roundUp(length, PageSize)}
	if !r.pageAligned() || r.Size < length {
		return eInval
	}
	switch {
	case DirectArea.Contains(addr):
		return s.unmapDMA(r)
	case HeapArea.covers(r):
		return s.unmapHeap(r)
	case r.Size > 1<<47 || r.End() > 1<<47:
		return eInval
	}
	interrupts := s.mu.lock()
	errno := s.unmap(r)
	s.mu.unlock(interrupts)
	return errno
}

// unmap removes all areas in r, which need not be there.
// Precondition: mu is held.
func (s *Space) unmap(r Range) syscall.Errno {
	f := &s.tables.frames
	if s.areas.isFree(f, r) {
		return ok
	}
	if s.areas.hasProgram(f, r) {
		return eInval
	}
	if !s.areas.reserve(f, 3) {
		return eNoMem
	}
	i, j := s.areas.isolate(f, r)
	for _, a := range s.areas.all(f)[i:j] {
		s.tables.unmapRange(Range{a.start, uint64(a.end - a.start)})
		if a.file.ID != 0 {
			s.fileUnmaps.Add(1)
		}
	}
	s.areas.remove(f, i, j)
	return ok
}

// Mprotect is mprotect(2). Unlike Linux it changes nothing if a page of the
// range is not mapped, which is ENOMEM. Proclet heaps cannot be protected.
func (s *Space) Mprotect(addr Virt, length uint64, p Prot) syscall.Errno {
	r := Range{addr, roundUp(length, PageSize)}
	if length == 0 && uint64(addr)%PageSize == 0 {
		return ok
	}
	if !r.pageAligned() || r.Size < length {
		return eInval
	}
	if !p.valid() {
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
	if !s.areas.covered(f, r) {
		return eNoMem
	}
	if s.areas.hasProgram(f, r) || p&ProtWrite != 0 && s.areas.hasReadOnly(f, r) {
		return eAcces
	}
	if !s.areas.reserve(f, 2) {
		return eNoMem
	}
	i, j := s.areas.isolate(f, r)
	for k := i; k < j; k++ {
		s.areas.all(f)[k].prot = p
	}
	s.tables.protect(r, p)
	s.areas.merge(f, i, j)
	return ok
}

// Madvise is madvise(2). MADV_DONTNEED and MADV_FREE give the frames back: the
// pages read as zeros afterwards, or as their file. MADV_POPULATE_READ and _WRITE
// map frames; mappings of files cannot be populated (EINVAL).
// Advice about the size of pages, access order and dumps is accepted.
func (s *Space) Madvise(addr Virt, length uint64, advice int) syscall.Errno {
	r := Range{addr, roundUp(length, PageSize)}
	if length == 0 && uint64(addr)%PageSize == 0 {
		return ok
	}
	if !r.pageAligned() || r.Size < length {
		return eInval
	}
	interrupts := s.mu.lock()
	errno := s.advise(r, advice)
	s.mu.unlock(interrupts)
	return errno
}

// Precondition: mu is held.
func (s *Space) advise(r Range, advice int) syscall.Errno {
	f := &s.tables.frames
	if !s.areas.covered(f, r) {
		return eNoMem
	}
	switch advice {
	case madvNormal, madvRandom, madvSequential, madvWillNeed, madvHugePage, madvNoHugePage,
		madvCollapse, madvDontDump, madvDoDump:
		return ok
	case madvDontNeed, madvFree:
		if s.areas.hasProgram(f, r) {
			return eInval
		}
		s.tables.unmapRange(r)
		return ok
	case madvPopulateRead, madvPopulateWrite:
		for v := r.Base; v < r.End(); {
			a := s.areas.all(f)[s.areas.search(f, v)]
			end := min(a.end, r.End())
			if a.file.ID != 0 {
				return eInval
			}
			if a.prot == ProtNone || !s.populate(Range{v, uint64(end - v)}, a.prot) {
				return eNoMem
			}
			v = end
		}
		return ok
	}
	return eInval
}

// Root is what the processors load into CR3. It is below 4 GiB if the first
// memory that was added is.
func (s *Space) Root() Phys { return s.tables.root }

// Usage counts the machine's frames. It is safe in any context.
func (s *Space) Usage() Usage { return s.tables.frames.ledger.read() }

// ZeroSome zeroes up to 64 KiB of free memory ahead of its use and reports
// whether there was a need to. An idle loop calls it until it says false.
func (s *Space) ZeroSome() bool { return s.tables.frames.zeroSome() }
