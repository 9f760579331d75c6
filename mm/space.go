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
	nextStack  Virt
	exhausted  uint64

	fileUnmaps atomic.Uint64
}

// lowest is the lowest address that may be mapped: what is below belongs to
// nil pointers with offsets.
const lowest Virt = 64 << 10

// addressLimit is where the addresses of a program end, and more than it can map.
const addressLimit = 1<<47 - PageSize

// userRange reports whether r is in the half of the address space that programs have.
func userRange(r Range) bool {
	return uint64(r.Base) <= addressLimit && r.Size <= addressLimit-uint64(r.Base)
}

// spare is where what does not fit into AnonArea is looked for: above what Go's heap
// is likely to take.
const spare Virt = 0x1000_0000_0000

// goArea is where the program and Go's heap are.
var goArea = Range{lowest, 0x4000_0000_0000 - uint64(lowest)}

// init prepares a Space whose frames were added.
func (s *Space) init() bool {
	s.nextAnon, s.nextDevice, s.nextStack = AnonArea.Base, DeviceArea.Base, KernelArea.Base
	return s.tables.init() && s.areas.init(&s.tables.frames)
}

// mappable reports whether the program may map r at an address it chooses.
func mappable(r Range) bool {
	return goArea.covers(r) || StackArea.covers(r) || AnonArea.covers(r)
}

// Mmap is mmap(2) for anonymous memory. It returns ENODEV for a mapping of a file,
// which is MmapFile's, and the errors of Linux; beyond these EACCES for memory that
// is to be written and executed.
//
// A hint is followed if its range is free and the program's to map. In
// HeapArea only MAP_FIXED_NOREPLACE with MAP_POPULATE is possible: all or
// nothing, and not on demand.
func (s *Space) Mmap(addr Virt, length uint64, p Prot, flags uint64) (Virt, syscall.Errno) {
	size, errno := mapSize(length)
	switch {
	case errno != ok:
		return 0, errno
	case flags&mapDMA != 0:
		return s.mapDMA(size)
	case flags&mapDevice != 0:
		return s.MapDevice(Phys(addr), length)
	case flags&mapAnonymous == 0:
		return 0, eNoDev
	case !p.valid():
		return 0, eAcces
	case flags&mapHugeTLB != 0:
		return 0, eNoMem // none are set aside
	case flags&mapWatch != 0 && HeapArea.covers(Range{addr, size}):
		return addr, s.watchHeap(Range{addr, size})
	case HeapArea.covers(Range{addr, size}):
		return s.mapHeap(Range{addr, size}, p, flags)
	}
	a := area{start: addr, end: addr + Virt(size), prot: p}
	a.shared = flags&mapType == mapShared
	interrupts := s.mu.lock()
	v, errno := s.mapArea(a, flags)
	if errno == ok && flags&mapPopulate != 0 && p != ProtNone {
		s.populate(Range{v, size}, p) // as far as there are frames, as on Linux
	}
	s.mu.unlock(interrupts)
	return v, errno
}

// mapSize is a length that is to be mapped in whole pages.
func mapSize(length uint64) (uint64, syscall.Errno) {
	size := roundUp(length, PageSize)
	switch {
	case length == 0:
		return 0, eInval
	case size < length || size > addressLimit:
		return 0, eNoMem
	}
	return size, ok
}

// mapArea adds an area where its bounds and the flags say.
// Precondition: mu is held.
func (s *Space) mapArea(a area, flags uint64) (Virt, syscall.Errno) {
	f := &s.tables.frames
	r := a.span()
	a.unreserved = flags&mapNoReserve != 0
	fixed := flags&(mapFixed|mapFixedNoReplace) != 0
	if !fixed {
		v, found := s.place(r)
		if !found {
			return 0, eNoMem
		}
		a.start, a.end = v, v+Virt(r.Size)
	}
	kind := flags & mapType
	switch {
	case fixed && uint64(r.Base) > addressLimit-r.Size:
		return 0, eNoMem
	case fixed && uint64(r.Base)%PageSize != 0:
		return 0, eInval
	case fixed && r.Base < lowest:
		return 0, ePerm
	case flags&mapFixedNoReplace != 0 && !s.areas.isFree(f, r):
		return 0, eExist
	case kind != mapPrivate && kind != mapShared && (kind != mapSharedValidate || a.file.ID == 0):
		return 0, eInval
	case fixed && !mappable(r):
		return 0, eNoMem // the kernel's own
	case (a.prot&ProtWrite != 0 || a.shared) && s.overcommits(r, &a), !s.areas.reserve(f, 3):
		return 0, eNoMem
	}
	if fixed {
		if errno := s.unmap(r); errno != ok {
			return 0, errno
		}
	}
	i := s.areas.search(f, a.start)
	s.areas.insert(f, i, a)
	s.areas.merge(f, i, i+1)
	return a.start, ok
}

// place finds addresses for r: those that it has if they are free, else some in
// AnonArea.
// Precondition: mu is held.
func (s *Space) place(r Range) (Virt, bool) {
	f := &s.tables.frames
	r.Base = Virt(roundDown(uint64(r.Base), PageSize))
	if mappable(r) && s.areas.isFree(f, r) {
		return r.Base, true
	}
	v, found := s.areas.firstGap(f, AnonArea, s.nextAnon, r.Size)
	if !found {
		v, found = s.areas.firstGap(f, AnonArea, AnonArea.Base, r.Size)
	}
	if found {
		s.nextAnon = v + Virt(r.Size)
		return v, true
	}
	return s.areas.firstGap(f, goArea, spare, r.Size)
}

// overcommits reports whether r, which is to be written as part of a, is more memory than the
// machine has: the program hears of it now and not when it touches it. Less than that
// is promised to whoever asks, whatever was promised before; and so is what the Go
// runtime maps at its start and hardly touches, however small the machine is.
func (s *Space) overcommits(r Range, a *area) bool {
	const always = 64 << 20
	return !a.file.Shared && !a.unreserved && r.Size > max(always, s.tables.frames.ledger.read().Total*PageSize)
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
	case !userRange(r):
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
	if !s.areas.reserve(f, 3) || !s.tables.cut(r.Base) || !s.tables.cut(r.End()) {
		return eNoMem
	}
	i, j := s.areas.isolate(f, r)
	for _, a := range s.areas.all(f)[i:j] {
		s.tables.unmapRange(a.span())
		if a.file.ID != 0 {
			s.fileUnmaps.Add(1)
		}
	}
	s.areas.remove(f, i, j)
	return ok
}

// Root is what the processors load into CR3. It is below 4 GiB if the first
// memory that was added is.
func (s *Space) Root() Phys { return s.tables.root }

// Usage counts the machine's frames. It is safe in any context.
func (s *Space) Usage() Usage { return s.tables.frames.ledger.read() }

// ZeroSome zeroes up to 64 KiB of free memory ahead of its use and reports
// whether there was a need to. An idle loop calls it until it says false.
func (s *Space) ZeroSome() bool { return s.tables.frames.zeroSome() }
