package mm

import (
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCollapse collapses what can be, and looks at what is there afterwards.
func TestCollapse(t *testing.T) {
	const base, rw = Virt(0xc000000000), ProtRead | ProtWrite
	for _, c := range []struct {
		name    string
		prepare func(s *Space)
		r       Range
		want    syscall.Errno
		large   bool // the first block is large
	}{
		{"nothing there", func(s *Space) {}, Range{base, LargePage}, eInval, false},
		{"one page", func(s *Space) { touch(s, base+5*PageSize, faultWrite) }, Range{base, LargePage}, ok, true},
		{"all pages", func(s *Space) { s.Madvise(base, LargePage, madvPopulateWrite) }, Range{base, LargePage}, ok, true},
		{"twice", func(s *Space) {
			touch(s, base, faultWrite)
			s.Madvise(base, LargePage, madvCollapse)
		}, Range{base, LargePage}, ok, true},
		{"more around it", func(s *Space) { touch(s, base, faultWrite) }, Range{base, LargePage + PageSize}, ok, true},
		{"second block empty", func(s *Space) { touch(s, base, faultWrite) }, Range{base, 2 * LargePage}, eInval, true},
		{"first block empty", func(s *Space) { touch(s, base+LargePage, faultWrite) }, Range{base, 2 * LargePage}, eInval, false},
		{"less than a block", func(s *Space) { touch(s, base, faultWrite) }, Range{base, LargePage - PageSize}, ok, false},
		{"inside a block", func(s *Space) { touch(s, base, faultWrite) }, Range{base + PageSize, PageSize}, eInval, false},
		{"advised against", func(s *Space) {
			touch(s, base, faultWrite)
			s.Madvise(base, 4*LargePage, madvNoHugePage)
		}, Range{base, LargePage}, eInval, false},
		{"read-only", func(s *Space) {
			touch(s, base, faultWrite)
			s.Mprotect(base, 4*LargePage, ProtRead)
		}, Range{base, LargePage}, ok, true},
		{"code", func(s *Space) {
			touch(s, base, faultWrite)
			s.Mprotect(base, 4*LargePage, ProtRead|ProtExec)
		}, Range{base, LargePage}, ok, true},
		{"without access", func(s *Space) {
			touch(s, base, faultWrite)
			s.Mprotect(base, 4*LargePage, ProtNone)
		}, Range{base, LargePage}, ok, true},
		{"of two protections", func(s *Space) {
			touch(s, base, faultWrite)
			s.Mprotect(base+PageSize, PageSize, ProtRead)
		}, Range{base, LargePage}, eInval, false},
		{"with a hole", func(s *Space) {
			touch(s, base, faultWrite)
			s.Munmap(base+2*LargePage, PageSize)
		}, Range{base, 3 * LargePage}, eInval, true},
		{"nothing in a row", func(s *Space) {
			touch(s, base, faultWrite)
			for {
				if _, found := s.tables.frames.alloc(largeOrder, Kernel); !found {
					break
				}
			}
		}, Range{base, LargePage}, eNoMem, false},
	} {
		s := newSpace(t, 16<<20)
		if !s.mapDirect(PhysRange{0, 16 << 20}) {
			t.Fatal("no memory for a direct map")
		}
		before := s.Usage()
		if _, errno := s.Mmap(base, 4*LargePage, rw, anon|mapFixed); errno != ok {
			t.Fatal(errno)
		}
		c.prepare(s)
		if got := s.Madvise(c.r.Base, c.r.Size, madvCollapse); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if e, level, _ := s.tables.leaf(base); (level == 1 && e != 0) != c.large {
			t.Errorf("%s: a page of level %d (%#x), want a large one: %t", c.name, level, e, c.large)
		}
		if a := s.Audit(); a.Broken {
			t.Errorf("%s: what is executed at %#x can be written at %#x", c.name, a.Execute, a.Write)
		}
		checkTables(t, &s.tables)
		s.Munmap(base, 4*LargePage)
		if u := s.Usage(); u.Program != 0 || c.want != eNoMem && u.Free+u.PageTables+u.Kernel != before.Free+before.PageTables+before.Kernel {
			t.Errorf("%s: frames leaked: %+v before, %+v after", c.name, before, u)
		}
		checkFrames(t, &s.tables.frames)
	}
}

// TestCollapseAgainstLinux makes random calls in a few blocks of 2 MiB, here and on Linux, and
// compares what MADV_COLLAPSE answers and that it loses nothing.
func TestCollapseAgainstLinux(t *testing.T) {
	const blocks = 4
	window := Range{0x2000_4000_0000, blocks * LargePage}
	linux := func(nr uintptr, args ...uintptr) syscall.Errno {
		var a [6]uintptr
		copy(a[:], args)
		_, _, e := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		return e
	}
	rnd := seeded(t)
	s := newSpace(t, 64<<20)
	if !s.mapDirect(PhysRange{0, 64 << 20}) {
		t.Fatal("no memory for a direct map")
	}
	const rw = ProtRead | ProtWrite
	var written [blocks * 512]bool // since it was mapped
	fresh := func() {
		s.Mmap(window.Base, window.Size, rw, anon|mapFixed)
		if e := linux(unix.SYS_MMAP, uintptr(window.Base), uintptr(window.Size), uintptr(rw), anon|mapFixed, ^uintptr(0)); e != 0 {
			t.Fatal(e)
		}
		clear(written[:])
	}
	fresh()
	defer linux(unix.SYS_MUNMAP, uintptr(window.Base), uintptr(window.Size))
	write := func(v Virt) {
		value := byte(1 + rnd.IntN(255))
		b, fine := touch(s, v, faultWrite)
		if !fine {
			t.Fatalf("%#x cannot be written", v)
		}
		*b = value
		*(*byte)(pointer(v)) = value
		written[(v-window.Base)/PageSize] = true
	}
	write(window.Base)
	if e := linux(unix.SYS_MADVISE, uintptr(window.Base), LargePage, madvCollapse); e == syscall.EINVAL {
		t.Skip("this Linux has no large pages")
	}
	fresh()
	compared := 0
	for step := range 3000 {
		r := Range{window.Base + Virt(rnd.IntN(blocks*512))*PageSize, uint64(1+rnd.IntN(700)) * PageSize}
		if rnd.IntN(2) == 0 {
			r = Range{window.Base + Virt(rnd.IntN(blocks))*LargePage, uint64(1+rnd.IntN(blocks)) * LargePage}
		}
		r.Size = min(r.Size, uint64(window.End()-r.Base))
		both := func(advice int) (want, got syscall.Errno) {
			want = linux(unix.SYS_MADVISE, uintptr(r.Base), uintptr(r.Size), uintptr(advice))
			return want, s.Madvise(r.Base, r.Size, advice)
		}
		switch rnd.IntN(12) {
		default:
			for range rnd.IntN(20) {
				write(window.Base + Virt(rnd.IntN(blocks*512))*PageSize)
			}
		case 0:
			fresh()
		case 1:
			both(madvDontNeed)
		case 2:
			both([]int{madvNoHugePage, madvNormal, madvHugePage}[rnd.IntN(3)])
		case 3, 4, 5:
			if unsure(s, r, window, written[:]) || !sameAreas(t, s, window) {
				// Linux does not always join what has the same flags, but looks for large
				// pages in each.
				fresh()
				continue
			}
			compared++
			want, got := both(madvCollapse)
			for try := 0; try < 100 && (want == syscall.EAGAIN || want == syscall.EBUSY); try++ {
				want = linux(unix.SYS_MADVISE, uintptr(r.Base), uintptr(r.Size), madvCollapse)
			}
			if want == syscall.ENOMEM {
				continue // Linux finds no 2 MiB now
			}
			if got != want {
				t.Fatalf("step %d: collapse of %d pages from page %d: %v, Linux says %v",
					step, r.Size/PageSize, (r.Base-window.Base)/PageSize, got, want)
			}
		}
		if step%50 == 0 {
			for i, some := range written {
				v := window.Base + Virt(i)*PageSize
				if !some {
					continue
				}
				b, fine := touch(s, v, 0)
				if !fine || *b != *(*byte)(pointer(v)) {
					t.Fatalf("step %d: page %#x: %v, want %d", step, v, b, *(*byte)(pointer(v)))
				}
			}
		}
	}
	if compared < 300 {
		t.Errorf("%d answers were compared", compared)
	}
	checkTables(t, &s.tables)
}

// sameAreas reports whether we have the areas that Linux has.
func sameAreas(t *testing.T, s *Space, window Range) bool {
	for _, m := range mappingsIn(t, window) {
		if a, found := s.AreaFrom(m.Base); !found || a.Range != m.Range {
			return false
		}
	}
	return true
}

// unsure reports whether Linux's answer depends on what it remembers: it may have a table for
// a block of r in which there is no page any more, which is enough for it, and what was never
// written it refuses whole.
func unsure(s *Space, r, window Range, written []bool) bool {
	wrote := func(r Range) bool {
		return slices.Contains(written[(r.Base-window.Base)/PageSize:(r.End()-window.Base)/PageSize], true)
	}
	for v := window.Base; v < window.End(); v += LargePage {
		block := Range{v, LargePage}
		if r.overlaps(block) && s.tables.empty(block) && wrote(block) {
			return true
		}
	}
	for v := r.Base; v < r.End(); {
		a, _ := s.AreaFrom(v)
		if !wrote(a.Range) {
			return true
		}
		v = a.End()
	}
	return false
}

// TestBoundsInLargePages makes bounds of areas inside of large pages, in all ways.
func TestBoundsInLargePages(t *testing.T) {
	for name, do := range map[string]func(s *Space, r Range) syscall.Errno{
		"advice":     func(s *Space, r Range) syscall.Errno { return s.Madvise(r.Base, r.Size, madvNoHugePage) },
		"name":       func(s *Space, r Range) syscall.Errno { return s.Name(r.Base, r.Size, 1) },
		"protection": func(s *Space, r Range) syscall.Errno { return s.Mprotect(r.Base, r.Size, ProtRead) },
	} {
		s := newSpace(t, 16<<20)
		base := Virt(0xc000000000)
		s.Mmap(base, 3*LargePage, ProtRead|ProtWrite, anon|mapFixed)
		touch(s, base, faultWrite)
		if errno := s.Madvise(base, LargePage, madvCollapse); errno != ok {
			t.Fatal(errno)
		}
		if errno := do(s, Range{base + 5*PageSize, 7 * PageSize}); errno != ok {
			t.Fatalf("%s: %v", name, errno)
		}
		checkTables(t, &s.tables)
		if errno := s.Munmap(base, 3*LargePage); errno != ok || s.Usage().Program != 0 {
			t.Errorf("%s: %v, %d frames are left", name, errno, s.Usage().Program)
		}
	}
}
