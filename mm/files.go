package mm

import "syscall"

// Mappings of files. The pages of a file belong to whoever keeps files, who is
// asked for each when it is touched; mm knows a file only by a number.
//
// A shared mapping shows the file's own pages, so that what is written to either
// is seen in both. A private one shows a copy of each page, made when the page is
// first touched.

// File says what an area shows of a file. The zero value is no file.
type File struct {
	ID       uintptr // the owner's number for the file, not 0
	Offset   uint64  // in the file, in bytes, a multiple of PageSize
	Shared   bool
	ReadOnly bool // the area can never be made writable
}

// refuses reports whether the file may not be mapped, or protected, like that. Pages
// that everybody may write to through the file are never executed.
func (f File) refuses(p Prot) bool {
	return f.ReadOnly && p&ProtWrite != 0 || f.ID != 0 && f.Shared && p&ProtExec != 0
}

// plus is what the area shows n bytes further on.
func (f File) plus(n uint64) File {
	if f.ID != 0 {
		f.Offset += n
	}
	return f
}

// MmapFile is mmap(2) for a file. The errors are those of Mmap; EOVERFLOW if the
// file's offset does not go so far. The owner must keep the file for as long as
// MapsFile says that it is mapped.
func (s *Space) MmapFile(addr Virt, length uint64, p Prot, flags uint64, file File) (Virt, syscall.Errno) {
	size, errno := mapSize(length)
	switch {
	case errno != ok:
		return 0, errno
	case file.Offset%PageSize != 0:
		return 0, eInval
	case int64(file.Offset+size) < int64(file.Offset):
		return 0, eOverflow
	case !p.valid() || file.refuses(p):
		return 0, eAcces
	}
	interrupts := s.mu.lock()
	v, errno := s.mapArea(area{start: addr, end: addr + Virt(size), prot: p, file: file}, flags)
	s.mu.unlock(interrupts)
	return v, errno
}

// FileFault says which page of which file a fault asks for that Fault did not
// resolve; false if for none.
func (s *Space) FileFault(addr Virt, code uint64) (File, bool) {
	if code&faultReserve != 0 {
		return File{}, false
	}
	interrupts := s.mu.lock()
	file := s.fileAt(addr, code)
	s.mu.unlock(interrupts)
	return file, file.ID != 0
}

// fileAt is what the page at addr shows, if it may be accessed as code says.
// Precondition: mu is held.
func (s *Space) fileAt(addr Virt, code uint64) File {
	f := &s.tables.frames
	i := s.areas.search(f, addr)
	if i == s.areas.count {
		return File{}
	}
	a := s.areas.all(f)[i]
	if addr < a.start || !allowed(a.prot, code) {
		return File{}
	}
	return a.file.plus(uint64(addr&^(PageSize-1) - a.start))
}

// MapFilePage resolves a fault for which FileFault returned file with the page
// that the direct map shows at page, which must stay where it is until UnmapFile
// or until MapsFile says that the file is not mapped. If the area is another one
// by now nothing is done; the access faults again. It reports false if no frame
// is left.
func (s *Space) MapFilePage(addr Virt, code uint64, file File, page Virt) bool {
	interrupts := s.mu.lock()
	done := s.mapFilePage(addr, code, file, page)
	s.mu.unlock(interrupts)
	return done
}

// Precondition: mu is held.
func (s *Space) mapFilePage(addr Virt, code uint64, file File, page Virt) bool {
	t := &s.tables
	if s.fileAt(addr, code) != file {
		return true
	}
	v := addr &^ (PageSize - 1)
	if e, _, _ := t.leaf(v); e != 0 {
		FlushLocal(Range{v, PageSize}) // another processor was quicker
		return true
	}
	table := t.table(v, 0, true)
	if table == 0 {
		return false
	}
	p := s.areas.all(&t.frames)[s.areas.search(&t.frames, v)].prot
	e := entry(page-t.frames.direct) | p.entry()
	if !file.Shared {
		frame, found := t.frames.alloc(0, Program)
		if !found {
			return false
		}
		copy(bytesAt(t.frames.at(frame), PageSize), bytesAt(page, PageSize))
		if p&ProtExec != 0 && !t.seal(frame, PageSize) {
			t.frames.release(frame, Program)
			return false
		}
		e = entry(frame) | p.entry() | entryOwned
	}
	t.store(table, indexOf(v, 0), e)
	return true
}

// UnmapFile takes away the pages, and the private copies of pages, that mappings
// show of a file from an offset on, which is a multiple of PageSize. They are
// asked for again when they are touched.
func (s *Space) UnmapFile(id uintptr, offset uint64) {
	interrupts := s.mu.lock()
	for _, a := range s.areas.all(&s.tables.frames) {
		if a.file.ID != id {
			continue
		}
		v := a.start
		if offset > a.file.Offset {
			if offset-a.file.Offset >= uint64(a.end-a.start) {
				continue
			}
			v += Virt(offset - a.file.Offset)
		}
		s.tables.unmapRange(Range{v, uint64(a.end - v)})
	}
	s.mu.unlock(interrupts)
}

// MapsFile reports whether an area shows the file.
func (s *Space) MapsFile(id uintptr) bool {
	interrupts := s.mu.lock()
	found := false
	for _, a := range s.areas.all(&s.tables.frames) {
		found = found || a.file.ID == id
	}
	s.mu.unlock(interrupts)
	return found
}

// FileUnmaps counts areas that showed a file and were removed: when it has not
// changed, no file is less mapped than before. It takes no lock.
func (s *Space) FileUnmaps() uint64 { return s.fileUnmaps.Load() }

// Mapped reports whether every page of a range is in an area.
func (s *Space) Mapped(addr Virt, length uint64) bool {
	interrupts := s.mu.lock()
	covered := s.areas.covered(&s.tables.frames, Range{addr, roundUp(length, PageSize)})
	s.mu.unlock(interrupts)
	return covered
}
