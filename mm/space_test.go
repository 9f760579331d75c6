package mm

import (
	"math/rand/v2"
	"syscall"
	"testing"
)

func newSpace(t testing.TB, size uint64) *Space {
	t.Helper()
	s := &Space{}
	fillArena(t, &s.tables.frames, size)
	if !s.init() {
		t.Fatal("no frames for an address space")
	}
	return s
}

const anon = mapPrivate | mapAnonymous

// spaceModel is what an address space must look like, page by page.
type spaceModel struct {
	prot    map[Virt]Prot
	content map[Virt]byte // of pages that were written
}

func (m *spaceModel) forget(r Range) {
	for v := r.Base; v < r.End(); v += PageSize {
		delete(m.prot, v)
		delete(m.content, v)
	}
}

// touch accesses a page as a processor would: with the translation that is
// there, or after a fault, as a kernel would for which guards mean nothing. It returns
// the byte at the begin of the page.
func touch(s *Space, v Virt, code uint64) (*byte, bool) {
	for range 3 {
		if e, level, _ := s.tables.leaf(v); e&entryPresent != 0 {
			allowed := code&faultWrite == 0 || e&entryWrite != 0
			allowed = allowed && (code&faultFetch == 0 || e&entryNoExec == 0)
			if allowed {
				p := Phys(e&entryAddress) + Phys(uint64(v)&(pageSize(level)-PageSize))
				return (*byte)(pointer(s.tables.frames.at(p))), true
			}
			code |= faultPresent
		}
		if !s.Fault(v, code) && !s.Unguard(v) {
			return nil, false
		}
	}
	return nil, false // the fault was said to be resolved and comes again
}

// TestSpaceAgainstModel makes random memory calls and faults in two windows
// and compares with a map of pages.
func TestSpaceAgainstModel(t *testing.T) {
	rnd := seeded(t)
	s := newSpace(t, 64<<20)
	before := s.Usage()
	flushed := 0
	SetHooks(Hooks{Flush: func(Range) { flushed++ }})
	defer SetHooks(Hooks{})
	const window = 600
	bases := []Virt{0xc000000000 - 300*PageSize, StackArea.Base + LargePage - 7*PageSize}
	m := spaceModel{map[Virt]Prot{}, map[Virt]byte{}}
	prots := []Prot{ProtNone, ProtRead, ProtRead | ProtWrite, ProtRead | ProtWrite, ProtRead | ProtExec}
	some := func() Range {
		a := rnd.IntN(window)
		n := 1 + rnd.IntN(min(window-a, 1<<rnd.IntN(10)))
		return Range{bases[rnd.IntN(len(bases))] + Virt(a)*PageSize, uint64(n) * PageSize}
	}
	for step := range 30000 {
		r := some()
		allFree, covered := true, true
		for v := r.Base; v < r.End(); v += PageSize {
			_, mapped := m.prot[v]
			allFree, covered = allFree && !mapped, covered && mapped
		}
		prot := prots[rnd.IntN(len(prots))]
		switch rnd.IntN(9) {
		case 0: // replace
			flags := uint64(anon | mapFixed)
			if rnd.IntN(4) == 0 {
				flags |= mapPopulate
			}
			v, errno := s.Mmap(r.Base, r.Size, prot, flags)
			if v != r.Base || errno != ok {
				t.Fatalf("step %d: MAP_FIXED at %x: %x, %v", step, r, v, errno)
			}
			m.forget(r)
			for v := r.Base; v < r.End(); v += PageSize {
				m.prot[v] = prot
				if e, _, _ := s.tables.leaf(v); flags&mapPopulate != 0 && prot != ProtNone && e == 0 {
					t.Fatalf("step %d: page %x is not populated", step, v)
				}
			}
		case 1: // only if free
			v, errno := s.Mmap(r.Base, r.Size, prot, anon|mapFixedNoReplace)
			if want := allFree; want != (errno == ok) || !want && errno != syscall.EEXIST || want && v != r.Base {
				t.Fatalf("step %d: MAP_FIXED_NOREPLACE at %x, free %v: %x, %v", step, r, allFree, v, errno)
			}
			for v := r.Base; allFree && v < r.End(); v += PageSize {
				m.prot[v] = prot
			}
		case 2: // hint
			v, errno := s.Mmap(r.Base, r.Size, prot, anon)
			if errno != ok || allFree != (v == r.Base) || !allFree && !AnonArea.covers(Range{v, r.Size}) {
				t.Fatalf("step %d: hint %x, free %v: %x, %v", step, r, allFree, v, errno)
			}
			if !allFree {
				if _, fine := touch(s, v, faultWrite); fine != (prot&ProtWrite != 0) {
					t.Fatalf("step %d: write to new page of protection %d: %v", step, prot, fine)
				}
				if errno := s.Munmap(v, r.Size); errno != ok {
					t.Fatalf("step %d: munmap: %v", step, errno)
				}
				break
			}
			for v := r.Base; v < r.End(); v += PageSize {
				m.prot[v] = prot
			}
		case 3:
			if errno := s.Munmap(r.Base, r.Size-uint64(rnd.IntN(PageSize))); errno != ok {
				t.Fatalf("step %d: munmap %x: %v", step, r, errno)
			}
			m.forget(r)
		case 4:
			errno := s.Mprotect(r.Base, r.Size, prot)
			if want := map[bool]syscall.Errno{true: ok, false: eNoMem}[covered]; errno != want {
				t.Fatalf("step %d: mprotect %x: %v, want %v", step, r, errno, want)
			}
			for v := r.Base; v < r.End(); v += PageSize {
				if _, mapped := m.prot[v]; !mapped {
					break // what comes before the hole is changed
				}
				m.prot[v] = prot
			}
		case 5:
			if size := rnd.IntN(3); size > 0 {
				errno := s.Madvise(r.Base, r.Size, []int{0, madvHugePage, madvNoHugePage}[size])
				if (errno == ok) != covered {
					t.Fatalf("step %d: madvise for sizes of pages %x: %v", step, r, errno)
				}
				break
			}
			errno := s.Madvise(r.Base, r.Size, madvDontNeed)
			if want := map[bool]syscall.Errno{true: ok, false: eNoMem}[covered]; errno != want {
				t.Fatalf("step %d: madvise %x: %v, want %v", step, r, errno, want)
			}
			for v := r.Base; v < r.End(); v += PageSize {
				delete(m.content, v) // holes or not
			}
		case 6:
			done := s.Guard(r.Base)
			if want := m.prot[r.Base]&ProtWrite != 0; done != want {
				t.Fatalf("step %d: guard on %x: %v, want %v", step, r.Base, done, want)
			}
			if done && (s.Fault(r.Base, 0) || s.Fault(r.Base, faultWrite)) {
				t.Fatalf("step %d: page %x is touched, through its guard", step, r.Base)
			}
		default: // access pages
			for v := r.Base; v < r.End(); v += PageSize {
				access(t, s, &m, v+Virt(rnd.IntN(PageSize)), rnd)
			}
		}
		if step%500 == 0 {
			checkAreas(t, s, &m)
			checkTables(t, &s.tables)
			checkFrames(t, &s.tables.frames)
		}
	}
	if flushed == 0 {
		t.Error("never flushed")
	}
	for _, base := range bases {
		if errno := s.Munmap(base, window*PageSize); errno != ok {
			t.Fatal(errno)
		}
	}
	after := s.Usage()
	// The list of areas has grown, and stays.
	after.Kernel, after.Free = before.Kernel, after.Free+after.Kernel-before.Kernel
	if after != before {
		t.Errorf("frames leaked: %+v before, %+v after", before, after)
	}
	if s.areas.count != 0 {
		t.Errorf("%d areas are left", s.areas.count)
	}
}

// access reads, writes or executes a byte's page and compares with the model.
func access(t *testing.T, s *Space, m *spaceModel, v Virt, rnd *rand.Rand) {
	t.Helper()
	code := []uint64{0, faultWrite, faultFetch}[rnd.IntN(3)]
	page := v &^ (PageSize - 1)
	prot, mapped := m.prot[page]
	want := mapped && allowed(prot, code)
	b, fine := touch(s, v, code)
	if fine != want {
		t.Fatalf("access %d to %x, mapped %v with %d: %v, want %v", code, v, mapped, prot, fine, want)
	}
	if !fine {
		return
	}
	if *b != m.content[page] {
		t.Fatalf("page %x holds %d, want %d", page, *b, m.content[page])
	}
	if code&faultWrite != 0 {
		*b = byte(rnd.Uint32())
		m.content[page] = *b
	}
}

// checkAreas compares the list with the model and looks for unmerged
// neighbours.
func checkAreas(t *testing.T, s *Space, m *spaceModel) {
	t.Helper()
	pages := 0
	areas := s.areas.all(&s.tables.frames)
	for i, a := range areas {
		if a.start >= a.end || i > 0 && areas[i-1].end > a.start {
			t.Fatalf("areas %d: %+v overlap or are empty", i, areas)
		}
		if i > 0 && areas[i-1].end == a.start && areas[i-1].prot == a.prot && areas[i-1].pages == a.pages {
			t.Fatalf("areas %d and %d are alike: %+v", i-1, i, a)
		}
		for v := a.start; v < a.end; v += PageSize {
			if p, mapped := m.prot[v]; !mapped || p != a.prot {
				t.Fatalf("page %x has protection %d in the list; mapped %v, %d", v, a.prot, mapped, p)
			}
			pages++
		}
	}
	if pages != len(m.prot) {
		t.Fatalf("%d pages in the list, want %d", pages, len(m.prot))
	}
}

func TestSpaceBadCalls(t *testing.T) {
	s := newSpace(t, 8<<20)
	at, errno := s.Mmap(0, 16*PageSize, ProtRead|ProtWrite, anon)
	if errno != ok {
		t.Fatal(errno)
	}
	mmap := func(v Virt, size uint64, p Prot, flags uint64) syscall.Errno {
		_, errno := s.Mmap(v, size, p, flags)
		return errno
	}
	const rw = ProtRead | ProtWrite
	tests := []struct {
		name      string
		got, want syscall.Errno
	}{
		{"mmap of nothing", mmap(0, 0, rw, anon), eInval},
		{"mmap of too much", mmap(0, 1<<63, rw, anon), eNoMem},
		{"mmap that wraps", mmap(0, ^uint64(0), rw, anon), eNoMem},
		{"mmap of more memory than there is", mmap(0, 65<<20, rw, anon), eNoMem},
		{"mmap of page 0", mmap(0, PageSize, rw, anon|mapFixed), ePerm},
		{"mmap of the direct map", mmap(DirectArea.Base, PageSize, rw, anon|mapFixed), eNoMem},
		{"mmap of registers", mmap(DeviceArea.Base, PageSize, rw, anon|mapFixed), eNoMem},
		{"mmap not canonical", mmap(1<<47, PageSize, rw, anon|mapFixed), eNoMem},
		{"mmap unaligned", mmap(at+1, PageSize, rw, anon|mapFixed), eInval},
		{"mmap of a file", mmap(0, PageSize, rw, mapPrivate), eNoDev},
		{"mmap written and executed", mmap(0, PageSize, rw|ProtExec, anon), eAcces},
		{"mmap of a heap on demand", mmap(HeapArea.Base, PageSize, rw, anon|mapFixed), eInval},
		{"munmap of nothing", s.Munmap(at, 0), eInval},
		{"munmap unaligned", s.Munmap(at+8, PageSize), eInval},
		{"munmap that wraps", s.Munmap(at, ^uint64(0)-PageSize), eInval},
		{"munmap of free addresses", s.Munmap(0x1234000, PageSize), ok},
		{"munmap of no DMA memory", s.Munmap(DirectArea.Base, PageSize), eInval},
		{"munmap of an unmapped heap", s.Munmap(HeapArea.Base, PageSize), eInval},
		{"mprotect past the end", s.Mprotect(at, 17*PageSize, ProtRead), eNoMem},
		{"mprotect written and executed", s.Mprotect(at, PageSize, rw|ProtExec), eAcces},
		{"madvise of free addresses", s.Madvise(at-PageSize, 2*PageSize, madvDontNeed), eNoMem},
		{"madvise unknown", s.Madvise(at, PageSize, 99), eInval},
		{"mmap of addresses for more", mmap(0, 65<<20, ProtNone, anon), ok},
		{"madvise huge", s.Madvise(at, PageSize, madvHugePage), ok},
		{"madvise collapse", s.Madvise(at, PageSize, madvCollapse), eInval},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", test.name, test.got, test.want)
		}
	}
	for _, v := range []Virt{0, 8, 0x1234000, HeapArea.Base, DirectArea.Base, at - 1, at + 16*PageSize, 1 << 47, ^Virt(0)} {
		if s.Fault(v, 0) {
			t.Errorf("fault at %x was resolved", v)
		}
	}
}

// TestReservationsCostNothing reserves a terabyte and touches a page of it.
func TestReservationsCostNothing(t *testing.T) {
	s := newSpace(t, 8<<20)
	before := s.Usage()
	v, errno := s.Mmap(0xc000000000, 1<<40, ProtNone, anon|syscall.MAP_NORESERVE)
	if errno != ok || s.Usage() != before {
		t.Fatalf("%v; %+v before, %+v after", errno, before, s.Usage())
	}
	if _, fine := touch(s, v, 0); fine {
		t.Error("reserved page can be read")
	}
	if got, errno := s.Mmap(v+1<<30, 4<<20, ProtRead|ProtWrite, anon|mapFixed); errno != ok || got != v+1<<30 {
		t.Fatal(got, errno)
	}
	if _, fine := touch(s, v+1<<30, faultWrite); !fine {
		t.Error("page cannot be written")
	}
	if u := s.Usage(); u.Program != 1 {
		t.Errorf("%d frames for one page", u.Program)
	}
	if errno := s.Munmap(v, 1<<40); errno != ok || s.Usage() != before {
		t.Errorf("%v; %+v before, %+v after", errno, before, s.Usage())
	}
}

// TestLargePages fills memory from its begin: all but the first pages are large. What is
// given back in between is cut out, and what is advised against stays small.
func TestLargePages(t *testing.T) {
	const size = 10 * LargePage
	for _, test := range []struct {
		name   string
		advice int
		faults uint64
	}{
		{"as it grows", madvNormal, 512 + 9},
		{"as advised", madvHugePage, 10},
		{"advised against", madvNoHugePage, size / PageSize},
	} {
		s := newSpace(t, 64<<20)
		before := s.Usage()
		base := Virt(0xc000000000)
		if _, errno := s.Mmap(base, size, ProtRead|ProtWrite, anon|mapFixed); errno != ok {
			t.Fatal(errno)
		}
		if errno := s.Madvise(base, size, test.advice); errno != ok {
			t.Fatal(errno)
		}
		faults := uint64(0)
		for v := base; v < base+size; v += PageSize {
			if e, _, _ := s.tables.leaf(v); e == 0 {
				faults++
			}
			b, fine := touch(s, v, faultWrite)
			if !fine || *b != 0 {
				t.Fatalf("%s: page %x cannot be written, or is not zero", test.name, v)
			}
			*b = 1
		}
		if faults != test.faults {
			t.Errorf("%s: %d faults, want %d", test.name, faults, test.faults)
		}
		hole := Range{base + 3*LargePage + 5*PageSize, 2*LargePage + 7*PageSize}
		s.Madvise(hole.Base, hole.Size, madvDontNeed)
		if u := s.Usage(); u.Program*PageSize != size-hole.Size {
			t.Errorf("%s: %d bytes are left, want %d", test.name, u.Program*PageSize, size-hole.Size)
		}
		for v := base; v < base+size; v += PageSize {
			if b, fine := touch(s, v, 0); !fine || (*b == 0) != hole.Contains(v) {
				t.Fatalf("%s: page %x: %v", test.name, v, fine)
			}
		}
		checkTables(t, &s.tables)
		if errno := s.Munmap(base, size); errno != ok || s.Usage() != before {
			t.Errorf("%s: %v; %+v before, %+v after", test.name, errno, before, s.Usage())
		}
	}
	// With little memory left, a page is a page.
	s := newSpace(t, 8<<20)
	v, _ := s.Mmap(0xc000000000, 8<<20, ProtRead|ProtWrite, anon|mapFixed|mapNoReserve)
	s.Madvise(v, 8<<20, madvHugePage)
	pages := uint64(0)
	for s.Fault(v+Virt(pages)*PageSize, faultWrite) {
		pages++
	}
	if u := s.Usage(); u.Free != 0 || u.Program != pages {
		t.Errorf("%d pages could be touched; %+v", pages, u)
	}
}

// TestOutOfFrames faults until nothing is left, and gets everything back.
func TestOutOfFrames(t *testing.T) {
	s := newSpace(t, 4<<20)
	before := s.Usage()
	v, _ := s.Mmap(0, 64<<20, ProtRead|ProtWrite, anon|mapNoReserve)
	n := uint64(0)
	for s.Fault(v+Virt(n)*PageSize, faultWrite) {
		n++
	}
	if u := s.Usage(); u.Free != 0 || n != u.Program || s.Exhausted() != 1 {
		t.Errorf("%d pages resolved, %+v, exhausted %d", n, u, s.Exhausted())
	}
	if _, errno := s.Mmap(HeapArea.Base, PageSize, ProtRead|ProtWrite, anon|mapFixedNoReplace|mapPopulate); errno != eNoMem {
		t.Errorf("heap: %v", errno)
	}
	if _, errno := s.Mmap(0, PageSize, 0, anon|mapDMA); errno != eNoMem {
		t.Errorf("DMA: %v", errno)
	}
	if errno := s.Munmap(v, 64<<20); errno != ok || s.Usage() != before {
		t.Errorf("%v; %+v before, %+v after", errno, before, s.Usage())
	}
}

// TestSpecialAreas maps what has no areas: heaps, DMA memory and registers.
func TestSpecialAreas(t *testing.T) {
	s := newSpace(t, 16<<20)
	before := s.Usage()
	const heap = anon | mapFixedNoReplace | mapPopulate
	r := Range{HeapArea.Base + 5<<30, 3 << 20}
	if v, errno := s.Mmap(r.Base, r.Size, ProtRead|ProtWrite, heap); v != r.Base || errno != ok {
		t.Fatal(v, errno)
	}
	if _, errno := s.Mmap(r.Base+PageSize, PageSize, ProtRead|ProtWrite, heap); errno != eExist {
		t.Errorf("mapped twice: %v", errno)
	}
	if s.Fault(r.End(), faultWrite) {
		t.Error("fault behind a heap was resolved")
	}
	dma, errno := s.Mmap(0, 5*PageSize, 0, anon|mapDMA)
	if u := s.Usage(); errno != ok || u.DMA != 8 || u.Heaps != r.Size/PageSize {
		t.Errorf("%v; %+v", errno, u)
	}
	for _, size := range []uint64{PageSize, 4 * PageSize, 9 * PageSize} {
		if got := s.tables.freeDMA(Range{dma, size}); got {
			t.Errorf("run of 8 frames freed as %d bytes", size)
		}
	}
	if !s.tables.freeDMA(Range{dma, 5 * PageSize}) || s.tables.freeDMA(Range{dma, 5 * PageSize}) {
		t.Error("DMA memory is not freed exactly once")
	}
	// A part that cuts a large page, then the rest.
	for _, part := range []Range{{r.Base + PageSize, LargePage}, {r.Base, PageSize}, {r.Base + PageSize + LargePage, 1<<20 - PageSize}} {
		if errno := s.Munmap(part.Base, part.Size); errno != ok {
			t.Errorf("munmap %x: %v", part, errno)
		}
	}
	if u := s.Usage(); u != before {
		t.Errorf("frames leaked: %+v before, %+v after", before, u)
	}
	for _, regs := range []PhysRange{{0xfebc1234, 8}, {0x8_0000_0000, 64 << 20}, {0xb0100000, 1 << 20}, {0xfee00000, PageSize}} {
		v, errno := s.MapDevice(regs.Base, regs.Size)
		if errno != ok || !DeviceArea.covers(Range{v, regs.Size}) {
			t.Fatalf("%x: %x, %v", regs, v, errno)
		}
		for _, off := range []uint64{0, regs.Size - 1} {
			e, _, _ := s.tables.leaf(v + Virt(off))
			p, _, fine := s.tables.translate(v + Virt(off))
			if !fine || p != regs.Base+Phys(off) || e&entryNoCache == 0 || e&entryNoExec == 0 {
				t.Errorf("register %x is at %x, entry %x", regs.Base+Phys(off), p, e)
			}
		}
	}
	if _, errno := s.MapDevice(0, 0); errno != eInval {
		t.Errorf("no registers: %v", errno)
	}
}
