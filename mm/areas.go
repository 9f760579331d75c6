package mm

import "unsafe"

// The list of mapped areas: an array sorted by address, in a run of frames of
// its own that doubles when it is full. A program has some hundreds of areas;
// for these, moving a few KiB of them is cheaper than keeping a tree.

// area is a stretch of addresses that was mapped with one protection. Areas
// never overlap; neighbours that are alike are one.
type area struct {
	start, end Virt
	file       File // what start shows; the zero value: anonymous memory
	prot       Prot
	shared     bool // anonymous memory that MADV_DONTNEED does not take away
	unreserved bool // MAP_NORESERVE: may be more than the machine has
	program    bool // put in place by the loader: it stays
	name       uint8
	pages      pageAdvice
}

func (a area) span() Range { return Range{a.start, uint64(a.end - a.start)} }

// from returns what of a lies behind v, which is inside.
func (a area) from(v Virt) area {
	a.file = a.file.plus(uint64(v - a.start))
	a.start = v
	return a
}

// continues reports whether a goes on where b ends as if they were one.
func (a area) continues(b area) bool {
	next := b.from(b.end)
	next.end = a.end
	return a == next
}

const areaSize = uint64(unsafe.Sizeof(area{}))

// areaList is the list. All methods need the lock of its Space.
type areaList struct {
	array Phys
	order int // of the run at array
	count int
}

func (l *areaList) init(f *frames) bool {
	array, found := f.alloc(0, Kernel)
	l.array = array
	return found
}

// all returns the areas, valid until the list grows.
//
//go:noinline
func (l *areaList) all(f *frames) []area {
	return unsafe.Slice((*area)(pointer(f.at(l.array))), l.count)
}

// at returns area i, nil if there are not so many.
func (l *areaList) at(f *frames, i int) *area {
	if i >= l.count {
		return nil
	}
	return &l.all(f)[i]
}

// reserve makes room for n more areas.
func (l *areaList) reserve(f *frames, n int) bool {
	for uint64(l.count+n)*areaSize > PageSize<<l.order {
		array, found := f.alloc(l.order+1, Kernel)
		if !found {
			return false
		}
		size := uint64(l.count) * areaSize
		copy(bytesAt(f.at(array), size), bytesAt(f.at(l.array), size))
		f.release(l.array, Kernel)
		l.array, l.order = array, l.order+1
	}
	return true
}

// search returns the index of the first area that ends after v.
//
//go:noinline
func (l *areaList) search(f *frames, v Virt) int {
	areas := l.all(f)
	low, high := 0, len(areas)
	for low < high {
		mid := int(uint(low+high) / 2)
		if areas[mid].end > v {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// insert puts a at index i.
// Precondition: reserve was called.
func (l *areaList) insert(f *frames, i int, a area) {
	l.count++
	areas := l.all(f)
	copy(areas[i+1:], areas[i:])
	areas[i] = a
}

// remove takes out the areas i up to j.
func (l *areaList) remove(f *frames, i, j int) {
	areas := l.all(f)
	copy(areas[i:], areas[j:])
	l.count -= j - i
}

// isolate makes the bounds of r bounds of areas, and returns the indices of
// those in r. It adds up to two areas.
// Precondition: reserve(2) was called.
func (l *areaList) isolate(f *frames, r Range) (i, j int) {
	l.splitAt(f, r.Base)
	l.splitAt(f, r.End())
	return l.search(f, r.Base), l.search(f, r.End())
}

// splitAt makes v a bound of areas if it is inside one.
func (l *areaList) splitAt(f *frames, v Virt) {
	i := l.search(f, v)
	if i == l.count || l.all(f)[i].start >= v {
		return
	}
	left := l.all(f)[i]
	l.all(f)[i] = left.from(v)
	left.end = v
	l.insert(f, i, left)
}

// merge joins each of the areas i to j, inclusive, with the one before it
// where they are alike.
func (l *areaList) merge(f *frames, i, j int) {
	for k := min(j, l.count-1); k >= max(i, 1); k-- {
		areas := l.all(f)
		if areas[k].continues(areas[k-1]) {
			areas[k-1].end = areas[k].end
			l.remove(f, k, k+1)
		}
	}
}

// covered reports whether every page of r is in an area.
func (l *areaList) covered(f *frames, r Range) bool {
	areas := l.all(f)
	v := r.Base
	for i := l.search(f, v); i < len(areas) && areas[i].start <= v; i++ {
		v = areas[i].end
		if v >= r.End() {
			return true
		}
	}
	return false
}

// isFree reports whether no page of r is in an area.
func (l *areaList) isFree(f *frames, r Range) bool {
	i := l.search(f, r.Base)
	return i == l.count || l.all(f)[i].start >= r.End()
}

// hasProgram reports whether a part of r was put in place by the loader.
func (l *areaList) hasProgram(f *frames, r Range) bool {
	areas := l.all(f)
	for i := l.search(f, r.Base); i < len(areas) && areas[i].start < r.End(); i++ {
		if areas[i].program {
			return true
		}
	}
	return false
}

// firstGap returns the lowest address in within, not below from, where size
// bytes are free.
func (l *areaList) firstGap(f *frames, within Range, from Virt, size uint64) (Virt, bool) {
	areas := l.all(f)
	v := from
	for i := l.search(f, v); i < len(areas) && areas[i].start < within.End(); i++ {
		if areas[i].start > v && uint64(areas[i].start-v) >= size {
			break
		}
		v = max(v, areas[i].end)
	}
	return v, v <= within.End() && uint64(within.End()-v) >= size
}

// Area is a piece of the address space with one protection.
type Area struct {
	Range
	Prot       Prot
	Program    bool  // the loader put it in place
	SharedFile bool  // its pages are a file's own
	Name       uint8 // see Space.Name
}

// AreaFrom is the first area that ends behind v, false if there is none.
func (s *Space) AreaFrom(v Virt) (found Area, ok bool) {
	interrupts := s.mu.lock()
	f := &s.tables.frames
	if a := s.areas.at(f, s.areas.search(f, v)); a != nil {
		found, ok = Area{a.span(), a.prot, a.program, a.file.Shared, a.name}, true
	}
	s.mu.unlock(interrupts)
	return found, ok
}
