package mm

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// twin makes every memory call on Linux, on which this test runs, and on a Space, in
// the same few pages of addresses, and compares what they answer and what is there
// afterwards.
type twin struct {
	t     *testing.T
	s     *Space
	rnd   *rand.Rand
	trace []string
}

// The window is where nothing of a Go program is. It does not hold a large page, so
// that Linux and we have frames for the same pages.
const (
	windowPages = 48
	arena       = Virt(0x2000_0010_0000)
)

func (w *twin) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s; what came before:\n%s", fmt.Sprintf(format, args...), strings.Join(w.trace[max(0, len(w.trace)-40):], "\n"))
}

// call makes a call of Linux's and compares the error.
func (w *twin) call(nr uintptr, args [5]uint64, own func() (Virt, syscall.Errno)) (linux, ours Virt, done bool) {
	w.t.Helper()
	name := map[uintptr]string{unix.SYS_MMAP: "mmap", unix.SYS_MUNMAP: "munmap", unix.SYS_MPROTECT: "mprotect",
		unix.SYS_MADVISE: "madvise", unix.SYS_MREMAP: "mremap"}[nr]
	last := uint64(0)
	fifth := args[4]
	if nr == unix.SYS_MMAP {
		fifth = ^uint64(0) // no file
	}
	r, _, want := syscall.RawSyscall6(nr, uintptr(args[0]), uintptr(args[1]), uintptr(args[2]), uintptr(args[3]), uintptr(fifth), uintptr(last))
	v, got := own()
	w.trace = append(w.trace, fmt.Sprintf("%s(%#x, %#x, %#x, %#x, %#x): %v", name, args[0], args[1], args[2], args[3], args[4], want))
	if got != want {
		w.fail("%s: here %v", w.trace[len(w.trace)-1], got)
	}
	return Virt(r), v, want == 0
}

// some is a range in the window; now and then its bounds are not those of pages.
func (w *twin) some() Range {
	first := w.rnd.IntN(windowPages)
	n := 1 + w.rnd.IntN(min(windowPages-first, 1<<w.rnd.IntN(6)))
	r := Range{arena + Virt(first)*PageSize, uint64(n) * PageSize}
	switch w.rnd.IntN(40) {
	case 0:
		r.Base += Virt(1 + w.rnd.IntN(PageSize-1))
	case 1, 2, 3, 4:
		r.Size -= uint64(w.rnd.IntN(PageSize))
	case 5:
		r.Size = 0
	case 6:
		r.Size = w.pick(^uint64(0), ^uint64(0)-PageSize) // what wraps around: all else would be this process's
	}
	return r
}

func (w *twin) pick(of ...uint64) uint64 { return of[w.rnd.IntN(len(of))] }

func (w *twin) prot() uint64 {
	return w.pick(unix.PROT_NONE, unix.PROT_READ, unix.PROT_READ|unix.PROT_WRITE, unix.PROT_READ|unix.PROT_WRITE,
		unix.PROT_READ|unix.PROT_WRITE, unix.PROT_READ|unix.PROT_EXEC)
}

func (w *twin) mmap() {
	r, p := w.some(), w.prot()
	flags := w.pick(mapPrivate, mapPrivate, mapPrivate, mapShared, 0, mapSharedValidate) | mapAnonymous |
		w.pick(mapFixed, mapFixed, mapFixedNoReplace, mapFixedNoReplace|mapFixed, 0) | w.pick(0, 0, 0, mapPopulate, mapNoReserve)
	if flags&(mapFixed|mapFixedNoReplace|mapPopulate) == 0 && w.rnd.IntN(50) == 0 {
		r.Size = w.pick(1<<42, 1<<43, 1<<47, 1<<47-PageSize-uint64(r.Base)+1, 1<<63)
	}
	linux, ours, done := w.call(unix.SYS_MMAP, [5]uint64{uint64(r.Base), r.Size, p, flags}, func() (Virt, syscall.Errno) {
		return w.s.Mmap(r.Base, r.Size, Prot(p), flags)
	})
	w.elsewhere(linux, ours, r.Size, done)
}

// elsewhere looks at what was mapped outside of the arena, where each chooses addresses
// by itself, and unmaps it.
func (w *twin) elsewhere(linux, ours Virt, size uint64, done bool) {
	whole := Range{arena, windowPages * PageSize}
	if !done || linux == ours && whole.covers(Range{linux, size}) {
		return
	}
	if linux != ours && (whole.Contains(linux) || whole.Contains(ours)) {
		w.fail("Linux chooses %#x, here it is %#x", linux, ours)
	}
	for i := Virt(0); i < Virt(min(size, 20*PageSize)); i += PageSize {
		w.compareByte(linux+i, ours+i)
	}
	if e := w.s.Munmap(ours, size); e != ok {
		w.fail("munmap of what was mapped at %#x: %v", ours, e)
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_MUNMAP, uintptr(linux), uintptr(size), 0); e != 0 {
		w.fail("Linux: munmap of what was mapped at %#x: %v", linux, e)
	}
}

func (w *twin) munmap() {
	r := w.some()
	w.call(unix.SYS_MUNMAP, [5]uint64{uint64(r.Base), r.Size}, func() (Virt, syscall.Errno) { return 0, w.s.Munmap(r.Base, r.Size) })
}

func (w *twin) mprotect() {
	r, p := w.some(), w.prot()
	if w.rnd.IntN(30) == 0 {
		p = w.pick(8, 9, 16, 64)
	}
	w.call(unix.SYS_MPROTECT, [5]uint64{uint64(r.Base), r.Size, p}, func() (Virt, syscall.Errno) {
		return 0, w.s.Mprotect(r.Base, r.Size, Prot(p))
	})
}

func (w *twin) madvise(r Range, advice int) {
	w.call(unix.SYS_MADVISE, [5]uint64{uint64(r.Base), r.Size, uint64(advice)}, func() (Virt, syscall.Errno) {
		return 0, w.s.Madvise(r.Base, r.Size, advice)
	})
	if advice == madvFree {
		// Linux takes the pages when it needs them. Now it does.
		w.madvise(r, madvDontNeed)
	}
}

func (w *twin) someAdvice() {
	w.madvise(w.some(), []int{madvNormal, madvRandom, madvSequential, madvDontNeed, madvDontNeed, madvDontNeed, madvFree, madvFree,
		madvRemove, madvDontFork, madvDoFork, madvHugePage, madvNoHugePage, madvDontDump, madvDoDump, madvWipeOnFork,
		madvKeepOnFork, madvCold, madvPopulateRead, madvPopulateWrite, madvDontNeedLocked,
		5, 6, 7, 26, 99, -1, madvCollapse}[w.rnd.IntN(28)])
}

func (w *twin) mremap() {
	r := w.some()
	to := arena + Virt(w.rnd.IntN(windowPages))*PageSize
	size := uint64(w.rnd.IntN(10)) * PageSize
	size = min(size, uint64(arena+windowPages*PageSize-max(to, r.Base)))
	flags := w.pick(0, remapMayMove, remapMayMove, remapMayMove|remapFixed, remapMayMove|remapFixed, remapFixed,
		remapMayMove|remapDontUnmap, remapMayMove|remapFixed|remapDontUnmap, remapDontUnmap, 8)
	if flags&remapDontUnmap != 0 {
		size = r.Size
	}
	area, found := w.s.AreaFrom(r.Base)
	whole := found && area.Base <= r.Base && w.inOneMapping(r)
	if !whole || w.sharedAt(r.Base) {
		// Linux keeps neighbours apart that were made one by one, and has files for
		// shared memory, which do not grow.
		return
	}
	linux, ours, done := w.call(unix.SYS_MREMAP, [5]uint64{uint64(r.Base), r.Size, size, flags, uint64(to)}, func() (Virt, syscall.Errno) {
		return w.s.Mremap(r.Base, r.Size, size, flags, to)
	})
	w.elsewhere(linux, ours, size, done)
}

func (w *twin) sharedAt(v Virt) bool {
	a := w.s.areas.at(&w.s.tables.frames, w.s.areas.search(&w.s.tables.frames, v))
	return a != nil && a.shared
}

// inOneMapping reports whether r is in one mapping of Linux's.
func (w *twin) inOneMapping(r Range) bool {
	for _, m := range w.mappings() {
		if m.Contains(r.Base) && r.Base+Virt(r.Size) <= m.End() && r.Size < 1<<40 {
			return true
		}
	}
	return false
}

// compareByte reads the first byte of a page, and writes another, at an address of each.
func (w *twin) compareByte(linux, ours Virt) {
	w.t.Helper()
	linux, ours = linux&^(PageSize-1), ours&^(PageSize-1)
	var was, now [1]byte
	now[0] = byte(w.rnd.Uint32())
	transfer := func(nr uintptr, b *[1]byte) bool {
		local := unix.Iovec{Base: &b[0], Len: 1}
		remote := unix.RemoteIovec{Base: uintptr(linux), Len: 1}
		n, _, e := syscall.Syscall6(nr, uintptr(os.Getpid()), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
		return e == 0 && n == 1
	}
	readable := transfer(unix.SYS_PROCESS_VM_READV, &was)
	b, fine := touch(w.s, ours, 0)
	if fine != readable || fine && *b != was[0] {
		w.fail("reading %#x: %v, Linux has %v at %#x: %d", ours, fine, readable, linux, was)
	}
	if w.rnd.IntN(2) == 0 {
		return
	}
	writable := transfer(unix.SYS_PROCESS_VM_WRITEV, &now)
	b, fine = touch(w.s, ours, faultWrite)
	if fine != writable {
		w.fail("writing %#x: %v, Linux %v", ours, fine, writable)
	}
	if fine {
		*b = now[0]
	}
}

// mappings are those that Linux has in the window.
func (w *twin) mappings() []Area { return mappingsIn(w.t, Range{arena, windowPages * PageSize}) }

func mappingsIn(t *testing.T, window Range) (all []Area) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uint64
		var perms string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &perms); err != nil {
			t.Fatal(err)
		}
		a := Area{Range: Range{Virt(from), to - from}}
		for i, p := range []Prot{ProtRead, ProtWrite, ProtExec} {
			if perms[i] != '-' {
				a.Prot |= p
			}
		}
		if a.overlaps(window) {
			all = append(all, a)
		}
	}
	return all
}

// compare looks at every page of the window: how it is mapped, whether it has a frame,
// and what is in it.
func (w *twin) compare() {
	w.t.Helper()
	var linux [windowPages]string
	for _, m := range w.mappings() {
		for v := m.Base; v < m.End(); v += PageSize {
			linux[(v-arena)/PageSize] = fmt.Sprint("mapped ", m.Prot)
		}
	}
	for i := range linux {
		v := arena + Virt(i)*PageSize
		ours := ""
		if a, found := w.s.AreaFrom(v); found && a.Base <= v {
			ours = fmt.Sprint("mapped ", a.Prot)
		}
		if ours != linux[i] {
			w.fail("page %#x is %q, Linux says %q", v, ours, linux[i])
		}
		if ours == "" {
			continue
		}
		var vector, own [1]byte
		_, _, e := syscall.Syscall(unix.SYS_MINCORE, uintptr(v), 1, uintptr(unsafe.Pointer(&vector)))
		if got := w.s.Resident(v, own[:]); got != e || vector[0]&1 != own[0] {
			w.fail("page %#x is in memory: %d (%v), Linux says %d (%v)", v, own, got, vector, e)
		}
	}
	for range windowPages / 4 {
		v := arena + Virt(w.rnd.IntN(windowPages*PageSize))
		w.compareByte(v, v)
	}
}

// TestAgainstLinux makes random memory calls, good and bad ones.
func TestAgainstLinux(t *testing.T) {
	rnd := seeded(t)
	w := &twin{t: t, rnd: rnd, s: newSpace(t, 16<<20)}
	if !w.s.mapDirect(PhysRange{0, 16 << 20}) {
		t.Fatal("no memory for a direct map")
	}
	if taken := w.mappings(); taken != nil {
		t.Fatalf("the window is in use: %v", taken)
	}
	before := w.s.Usage()
	steps := 12000
	if testing.Short() {
		steps = 3000
	}
	for range steps {
		switch w.rnd.IntN(10) {
		case 0, 1, 2:
			w.mmap()
		case 3:
			w.munmap()
		case 4, 5:
			w.mprotect()
		case 6, 7:
			w.someAdvice()
		case 8:
			w.mremap()
		case 9:
			v := arena + Virt(w.rnd.IntN(windowPages*PageSize))
			w.compareByte(v, v)
		}
		if w.rnd.IntN(8) == 0 {
			w.compare()
		}
		if a := w.s.Audit(); a.Broken {
			w.fail("what is executed at %#x can be written at %#x", a.Execute, a.Write)
		}
	}
	w.compare()
	w.call(unix.SYS_MUNMAP, [5]uint64{uint64(arena), windowPages * PageSize}, func() (Virt, syscall.Errno) {
		return 0, w.s.Munmap(arena, windowPages*PageSize)
	})
	// Every frame is back, and can be written through the direct map again. Its
	// tables and the list of areas stay as large as they were.
	u := w.s.Usage()
	if u.Program != 0 || u.Free+u.PageTables+u.Kernel != before.Free+before.PageTables+before.Kernel {
		t.Errorf("frames leaked: %+v before, %+v after", before, u)
	}
	if a := w.s.Audit(); a.Constant != 0 || a.Executable != 0 {
		t.Errorf("%d pages are still read-only, %d executable", a.Constant, a.Executable)
	}
	checkTables(t, &w.s.tables)
	checkFrames(t, &w.s.tables.frames)
}
