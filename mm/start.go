package mm

// Memory is what a machine's loader says about its physical memory. The slices
// need not be sorted or aligned and may overlap.
type Memory struct {
	// Usable is RAM. Reserved lies in it and is not to be used: the image,
	// the boot archive, the page on which other processors start.
	Usable, Reserved []PhysRange

	// Firmware is memory that is not ours to use but has tables to read, such
	// as those of ACPI. It is in the direct map, and so is the first MiB.
	Firmware []PhysRange

	// Program is what the loader put in place.
	Program []Segment
}

// Segment is a part of the program that is in memory already. It keeps its
// frames and its protection for ever.
type Segment struct {
	Range
	Phys Phys
	Prot Prot
}

// bootMapped is how much physical memory the boot page tables show in the
// direct map. What is above is added when our own tables show it.
const bootMapped = 4 << 30

// start builds the page tables in the memory below bootMapped, calls use with
// their root, which makes the processor use them, and then adds the rest of
// the memory. It returns what is wrong, or "".
func (s *Space) start(m Memory, use func(root Phys)) (problem string) {
	f := &s.tables.frames
	var low, high rangeList
	for _, r := range m.Usable {
		if r.End() < r.Base {
			continue
		}
		cut := max(r.Base, min(r.End(), bootMapped))
		if !low.add(PhysRange{r.Base, uint64(cut - r.Base)}) || !high.add(PhysRange{cut, uint64(r.End() - cut)}) {
			return "mm: the memory map has too many ranges"
		}
	}
	f.add(low.all(), m.Reserved)
	if !s.init() || !s.mapDirect(PhysRange{0, 1 << 20}) {
		return "mm: there is no memory below 4 GiB"
	}
	for i := range f.spans[:f.spanCount] {
		if !s.mapDirect(f.spans[i].memory()) {
			return "mm: not enough memory below 4 GiB for the page tables"
		}
	}
	for _, list := range [...][]PhysRange{high.all(), m.Firmware} {
		for _, r := range list {
			if !s.mapDirect(r) {
				return "mm: not enough memory below 4 GiB for the page tables"
			}
		}
	}
	for i := range m.Program {
		if !s.addProgram(&m.Program[i]) {
			return "mm: the program's segments overlap or are not page aligned"
		}
	}
	use(s.tables.root)
	f.add(high.all(), m.Reserved)
	return ""
}

// MapStart makes the page at p executable at the address that it has in physical
// memory, where the processors of a machine start; UnmapStart ends that. In between
// the page can be written, too, in the direct map, and no program runs.
func (s *Space) MapStart(p Phys) bool {
	interrupts := s.mu.lock()
	done := s.tables.mapRange(Range{Virt(p), PageSize}, p, (ProtRead | ProtExec).entry(), 0)
	s.mu.unlock(interrupts)
	return done
}

// UnmapStart leaves nothing mapped below what programs may map.
func (s *Space) UnmapStart(p Phys) {
	interrupts := s.mu.lock()
	s.tables.unmapRange(Range{Virt(p), PageSize})
	s.mu.unlock(interrupts)
}

// rangeList is a list with a fixed limit.
type rangeList struct {
	array [128]PhysRange
	count int
}

func (l *rangeList) all() []PhysRange { return l.array[:l.count] }

// add appends r unless it is empty.
func (l *rangeList) add(r PhysRange) bool {
	if r.Size == 0 {
		return true
	}
	if l.count == len(l.array) {
		return false
	}
	l.array[l.count] = r
	l.count++
	return true
}

// mapDirect makes the pages of r visible in the direct map, those that are not
// yet.
func (s *Space) mapDirect(r PhysRange) bool {
	t := &s.tables
	first := Virt(roundDown(uint64(r.Base), PageSize))
	end := Virt(roundUp(uint64(r.End()), PageSize))
	if uint64(end) > DirectArea.Size || end < first {
		return false
	}
	first, end = first+DirectArea.Base, end+DirectArea.Base
	for v := first; v < end; {
		if e, level, _ := t.leaf(v); e != 0 {
			v = v&^Virt(pageSize(level)-1) + Virt(pageSize(level))
			continue
		}
		stop, found := t.next(Range{v, uint64(end - v)})
		if !found {
			stop = end
		}
		flags := (ProtRead | ProtWrite).entry()
		if !t.mapRange(Range{v, uint64(stop - v)}, Phys(v-DirectArea.Base), flags, 1) {
			return false
		}
		v = stop
	}
	return true
}

// addProgram maps a segment and adds its area. The direct map shows code and
// constants, too, and cannot write them either.
func (s *Space) addProgram(g *Segment) bool {
	f := &s.tables.frames
	r := Range{g.Base, roundUp(g.Size, PageSize)}
	if !r.pageAligned() || g.Phys%PageSize != 0 || !g.Prot.valid() {
		return false
	}
	if !s.tables.mapRange(r, g.Phys, g.Prot.entry(), 1) || !s.areas.reserve(f, 1) {
		return false
	}
	if g.Prot&ProtWrite == 0 && !s.tables.seal(g.Phys, r.Size) {
		return false
	}
	s.areas.insert(f, s.areas.search(f, r.Base), area{start: r.Base, end: r.End(), prot: g.Prot, program: true})
	return true
}
