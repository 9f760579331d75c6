package mm

import (
	"syscall"
	"testing"
)

// testFile is a file whose pages lie in frames of the kernel.
type testFile struct {
	s     *Space
	id    uintptr
	pages []Virt
}

func newFile(t *testing.T, s *Space, id uintptr, pages int) *testFile {
	t.Helper()
	f := &testFile{s: s, id: id}
	for i := range pages {
		p, found := s.tables.frames.alloc(0, Kernel)
		if !found {
			t.Fatal("no frame for a file")
		}
		f.pages = append(f.pages, s.tables.frames.at(p))
		*(*byte)(pointer(f.pages[i])) = byte(i + 1)
	}
	return f
}

func (f *testFile) first(page int) *byte { return (*byte)(pointer(f.pages[page])) }

// touch accesses a page as a processor would that asks f for what Fault does not
// resolve.
func (f *testFile) touch(t *testing.T, v Virt, code uint64) (*byte, bool) {
	t.Helper()
	if b, fine := touch(f.s, v, code); fine {
		return b, true
	}
	file, asked := f.s.FileFault(v, code)
	if !asked {
		return nil, false
	}
	page := int(file.Offset / PageSize)
	if file.ID != f.id || page >= len(f.pages) {
		return nil, false
	}
	if !f.s.MapFilePage(v, code, file, f.pages[page]) {
		t.Fatalf("no frame for page %d", page)
	}
	b, fine := touch(f.s, v, code)
	if !fine {
		t.Fatalf("page %d was mapped but cannot be accessed", page)
	}
	return b, true
}

func (f *testFile) free() {
	for _, p := range f.pages {
		f.s.tables.frames.release(Phys(p-f.s.tables.frames.direct), Kernel)
	}
}

const rw = ProtRead | ProtWrite

// TestSharedFile sees the file's own pages, wherever its areas are cut.
func TestSharedFile(t *testing.T) {
	s := newSpace(t, 8<<20)
	before := s.Usage()
	f := newFile(t, s, 7, 8)
	v, errno := s.MmapFile(0, 6*PageSize, rw, mapShared, File{ID: 7, Offset: 2 * PageSize, Shared: true})
	if errno != ok {
		t.Fatal(errno)
	}
	if errno := s.Mprotect(v+2*PageSize, PageSize, ProtRead); errno != ok {
		t.Fatal(errno)
	}
	for i := range 6 {
		at := v + Virt(i)*PageSize
		b, _ := f.touch(t, at, 0)
		if b != f.first(i+2) {
			t.Errorf("page %d is not the file's page %d", i, i+2)
		}
		if _, fine := f.touch(t, at, faultWrite); fine != (i != 2) {
			t.Errorf("page %d can be written: %v", i, fine)
		}
	}
	if errno := s.Mprotect(v, 6*PageSize, rw); errno != ok {
		t.Fatal(errno)
	}
	if n := s.areas.count; n != 1 {
		t.Errorf("%d areas after all have one protection again, want 1", n)
	}

	// A hole in the middle: what is behind it still shows the right pages.
	if errno := s.Munmap(v+3*PageSize, PageSize); errno != ok {
		t.Fatal(errno)
	}
	s.Madvise(v+4*PageSize, 2*PageSize, madvDontNeed)
	if b, _ := f.touch(t, v+5*PageSize, faultWrite); b != f.first(7) {
		t.Error("behind a hole the wrong page is shown")
	}
	if _, fine := f.touch(t, v+3*PageSize, 0); fine {
		t.Error("the hole can be read")
	}
	if !s.MapsFile(7) || s.FileUnmaps() == 0 {
		t.Errorf("after a hole was cut: mapped %v, unmaps %d", s.MapsFile(7), s.FileUnmaps())
	}
	if errno := s.Munmap(v, 6*PageSize); errno != ok || s.MapsFile(7) {
		t.Errorf("munmap: %v; mapped %v", errno, s.MapsFile(7))
	}
	f.free()
	if after := s.Usage(); after != before {
		t.Errorf("frames: %+v, before %+v", after, before)
	}
}

// TestPrivateFile gets copies.
func TestPrivateFile(t *testing.T) {
	s := newSpace(t, 8<<20)
	before := s.Usage()
	f := newFile(t, s, 7, 3)
	v, errno := s.MmapFile(0, 3*PageSize, rw, mapPrivate, File{ID: 7})
	if errno != ok {
		t.Fatal(errno)
	}
	for i := range 3 {
		b, fine := f.touch(t, v+Virt(i)*PageSize, faultWrite)
		if !fine || *b != byte(i+1) {
			t.Fatalf("page %d: %v", i, fine)
		}
		*b = 99
		if got := *f.first(i); got != byte(i+1) {
			t.Errorf("writing to a private page changed the file: %d", got)
		}
	}
	// What was changed is forgotten with the end of the file, and by advice.
	s.UnmapFile(7, 2*PageSize)
	s.Madvise(v, PageSize, madvDontNeed)
	for i, want := range []byte{1, 99, 3} {
		if b, fine := f.touch(t, v+Virt(i)*PageSize, 0); !fine || *b != want {
			t.Errorf("page %d has %d (%v), want %d", i, *b, fine, want)
		}
	}
	s.Munmap(v, 3*PageSize)
	f.free()
	if after := s.Usage(); after != before {
		t.Errorf("frames: %+v, before %+v", after, before)
	}
}

// TestUnmapFile cuts a file off in every place of two areas.
func TestUnmapFile(t *testing.T) {
	for cut := range 8 {
		s := newSpace(t, 8<<20)
		f := newFile(t, s, 7, 8)
		file := File{ID: 7, Offset: PageSize, Shared: true}
		v, _ := s.MmapFile(0, 3*PageSize, rw, mapShared, file)
		w, _ := s.MmapFile(v+16*PageSize, 3*PageSize, rw, mapShared, file.plus(3*PageSize))
		other, _ := s.MmapFile(v+32*PageSize, PageSize, rw, mapShared, File{ID: 8, Offset: 7 * PageSize, Shared: true})
		for i := range 3 {
			f.touch(t, v+Virt(i)*PageSize, 0)
			f.touch(t, w+Virt(i)*PageSize, 0)
		}
		if !s.MapFilePage(other, 0, File{ID: 8, Offset: 7 * PageSize, Shared: true}, f.pages[0]) {
			t.Fatal("no frame")
		}
		s.UnmapFile(7, uint64(cut)*PageSize)
		for i := range 3 {
			for _, at := range []struct {
				v    Virt
				page int
			}{{v + Virt(i)*PageSize, i + 1}, {w + Virt(i)*PageSize, i + 4}} {
				e, _, _ := s.tables.leaf(at.v)
				if mapped := e != 0; mapped != (at.page < cut) {
					t.Errorf("cut at %d: page %d mapped %v", cut, at.page, mapped)
				}
			}
		}
		if e, _, _ := s.tables.leaf(other); e == 0 {
			t.Errorf("cut at %d: another file's page is gone", cut)
		}
	}
}

func TestMmapFileErrors(t *testing.T) {
	s := newSpace(t, 8<<20)
	good := File{ID: 7, Shared: true}
	for _, c := range []struct {
		name   string
		length uint64
		prot   Prot
		file   File
		want   syscall.Errno
	}{
		{"no length", 0, rw, good, syscall.EINVAL},
		{"offset inside a page", PageSize, rw, good.plus(1), syscall.EINVAL},
		{"length that wraps", ^uint64(0), rw, good, syscall.ENOMEM},
		{"end behind the largest file", 2 * PageSize, rw, good.plus(1<<63 - PageSize), syscall.EOVERFLOW},
		{"writing a read-only file", PageSize, rw, File{ID: 7, Shared: true, ReadOnly: true}, syscall.EACCES},
	} {
		if _, errno := s.MmapFile(0, c.length, c.prot, mapShared, c.file); errno != c.want {
			t.Errorf("%s: %v, want %v", c.name, errno, c.want)
		}
	}
	v, errno := s.MmapFile(0, PageSize, ProtRead, mapShared, File{ID: 7, Shared: true, ReadOnly: true})
	if errno != ok {
		t.Fatal(errno)
	}
	if errno := s.Mprotect(v, PageSize, rw); errno != syscall.EACCES {
		t.Errorf("making a read-only file writable: %v, want EACCES", errno)
	}
	// The area changed between the question and the answer.
	file, _ := s.FileFault(v, 0)
	s.Munmap(v, PageSize)
	if !s.MapFilePage(v, 0, file, s.tables.frames.at(s.tables.root)) {
		t.Error("an area that is gone is a failure; want: ask again")
	}
	if e, _, _ := s.tables.leaf(v); e != 0 {
		t.Error("a page was mapped where no area is")
	}
}
