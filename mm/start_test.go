package mm

import "testing"

// TestStart starts machines of several shapes: what they are told is usable is
// in the direct map and can be had, and nothing else.
func TestStart(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	image := PhysRange{16 * mib, 8 * mib}
	program := []Segment{
		{Range{0x400000, 2 * mib}, 16 * mib, ProtRead | ProtExec},
		{Range{0x600000, mib}, 18 * mib, ProtRead},
		{Range{0x700000, 5*mib - 123}, 19 * mib, ProtRead | ProtWrite},
	}
	tests := []struct {
		name     string
		usable   []PhysRange
		firmware []PhysRange
		atLeast  uint64 // bytes free afterwards
	}{
		{"q35", []PhysRange{{0, 0x9fc00}, {mib, 511 * mib}}, []PhysRange{{0x1ffd0000 + 0x123, 0x2000}}, 490 * mib},
		{"more than 6 GB", []PhysRange{{0, 0x9fc00}, {mib, 2*gib - mib}, {4 * gib, 5*gib - 4096}}, nil, 6900 * mib},
		{"sloppy", []PhysRange{{4 * gib, gib}, {mib, 3 * gib}, {3*gib - mib, 2 * gib}, {2 * gib, gib}}, nil, 4800 * mib},
		{"small", []PhysRange{{0, 0x9fc00}, {mib, 31 * mib}}, nil, 22 * mib},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &Space{}
			f := &s.tables.frames
			newArena(t, f, 10*gib)
			roots := 0
			problem := s.start(Memory{
				Usable: test.usable, Reserved: []PhysRange{image, {0x8000, PageSize}},
				Firmware: test.firmware, Program: program,
			}, func(root Phys) {
				roots++
				if root != s.Root() || root >= 4*gib || root == 0 {
					t.Errorf("root %#x", root)
				}
			})
			if problem != "" || roots != 1 {
				t.Fatalf("%q, root used %d times", problem, roots)
			}
			if u := s.Usage(); u.Free*PageSize < test.atLeast {
				t.Errorf("%d MiB are free, want %d", u.Free*PageSize/mib, test.atLeast/mib)
			}
			checkFrames(t, f)
			for _, r := range append(test.usable, test.firmware...) {
				for _, p := range []Phys{r.Base, r.Base + Phys(r.Size/2), r.End() - 1} {
					if e, level, _ := s.tables.leaf(Direct(p)); e&entryPresent == 0 ||
						Phys(e&entryAddress)+Phys(uint64(p)%pageSize(level)) != p || e&entryNoExec == 0 {
						t.Errorf("direct map of %#x: entry %#x", p, e)
					}
				}
			}
			for _, g := range program {
				for _, v := range []Virt{g.Base, g.End() - 1} {
					e, level, _ := s.tables.leaf(v)
					p := Phys(e&entryAddress) + Phys(uint64(v)%pageSize(level))
					if p != g.Phys+Phys(v-g.Base) || e&^(entryAddress|entryLarge) != g.Prot.entry() {
						t.Errorf("program at %#x: entry %#x", v, e)
					}
					if e, _, _ := s.tables.leaf(Direct(p)); (e&entryWrite != 0) != (g.Prot&ProtWrite != 0) || e&entryNoExec == 0 {
						t.Errorf("direct map of the program at %#x, which has protection %d: entry %#x", v, g.Prot, e)
					}
				}
				if s.Fault(g.Base, faultPresent|faultWrite) != (g.Prot&ProtWrite != 0) {
					t.Errorf("write to %#x", g.Base)
				}
				for _, errno := range []any{s.Munmap(g.Base, PageSize), s.Mprotect(g.Base, PageSize, ProtRead),
					s.Madvise(g.Base, PageSize, madvDontNeed)} {
					if errno == ok {
						t.Errorf("the program at %#x can be changed", g.Base)
					}
				}
			}
			if a := s.Audit(); a.Broken || a.Executable == 0 || a.Constant == 0 || a.Lowest != program[0].Base {
				t.Errorf("audit: %+v", a)
			}
			// An audit of what is wrong: a second, writable view of the last page of code.
			view := Range{0x10_0000_0000, PageSize}
			code := program[0].End() - PageSize
			s.tables.mapRange(view, program[0].Phys+Phys(code-program[0].Base), (ProtRead | ProtWrite).entry(), 0)
			if a := s.Audit(); !a.Broken || a.Write != view.Base || a.Execute != code {
				t.Errorf("audit of a writable view of code: %+v", a)
			}
			s.tables.unmapRange(view)
			// Everything that can be had is usable and not reserved.
			var runs []Phys
			for order := maxOrder; order >= 9; order-- {
				for {
					interrupts := f.mu.lock()
					n := f.take(order) // without zeroing gigabytes
					f.mu.unlock(interrupts)
					if n == 0 {
						break
					}
					run := PhysRange{address(n), PageSize << order}
					runs = append(runs, run.Base)
					if run.overlaps(image) {
						t.Errorf("the image's memory %#x is handed out", run)
					}
					for p := run.Base; p < run.End(); p += LargePage {
						if _, usable := firstOverlap(PhysRange{p, PageSize}, test.usable); !usable {
							t.Errorf("%#x is handed out and not memory", p)
						}
					}
				}
			}
			if len(runs) == 0 {
				t.Error("no run of 2 MiB")
			}
		})
	}
}

func TestStartProblems(t *testing.T) {
	good := []PhysRange{{1 << 20, 8 << 20}}
	tests := []struct {
		name string
		m    Memory
		bad  bool
	}{
		{"good", Memory{Usable: good}, false},
		{"no memory", Memory{}, true},
		{"all above 4 GiB", Memory{Usable: []PhysRange{{4 << 30, 1 << 30}}}, true},
		{"all reserved", Memory{Usable: good, Reserved: []PhysRange{{0, 1 << 30}}}, true},
		{"wraps around", Memory{Usable: []PhysRange{{1 << 63, 1<<63 + 1<<20}, good[0]}}, false},
		{"overlapping segments", Memory{Usable: good, Program: []Segment{
			{Range{0x400000, 8192}, 0, ProtRead}, {Range{0x401000, 8192}, 0, ProtRead}}}, true},
		{"segment written and executed", Memory{Usable: good, Program: []Segment{{Range{0x400000, 4096}, 0, ProtWrite | ProtExec}}}, true},
		{"segment off its page", Memory{Usable: good, Program: []Segment{{Range{0x400000, 4096}, 5, ProtRead}}}, true},
	}
	for _, test := range tests {
		s := &Space{}
		newArena(t, &s.tables.frames, 64<<20)
		if problem := s.start(test.m, func(Phys) {}); (problem != "") != test.bad {
			t.Errorf("%s: %q", test.name, problem)
		}
	}
}
