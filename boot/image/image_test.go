package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nuos/boot"
)

// hello is images/hello, built once for all tests.
var hello Result

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "nuos-image-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		hello, err = Build(context.Background(), Options{Package: "nuos/images/hello", Output: filepath.Join(dir, "hello.elf")})
		if err != nil {
			println(err.Error())
			return 1
		}
		return m.Run()
	}())
}

func readImage(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(hello.Path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestELF reads the file as a PVH loader does.
func TestELF(t *testing.T) {
	f, err := elf.NewFile(bytes.NewReader(readImage(t)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 || f.Type != elf.ET_EXEC {
		t.Errorf("%v %v %v, want a 64-bit x86 executable", f.Class, f.Machine, f.Type)
	}
	var end uint64
	entered, noted := false, false
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_LOAD:
			if p.Paddr != p.Vaddr || p.Vaddr%pageSize != p.Off%pageSize || p.Vaddr < end {
				t.Errorf("segment %+v", p.ProgHeader)
			}
			end = p.Vaddr + p.Memsz
			if p.Flags&elf.PF_X != 0 && f.Entry >= p.Vaddr && f.Entry < p.Vaddr+p.Filesz {
				entered = true
			}
		case elf.PT_NOTE:
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err != nil {
				t.Fatal(err)
			}
			want := binary.LittleEndian.AppendUint64([]byte("\x04\x00\x00\x00\x08\x00\x00\x00\x12\x00\x00\x00Xen\x00"), f.Entry)
			noted = bytes.Equal(b, want)
		}
	}
	if !entered {
		t.Errorf("no executable segment has the entry %#x", f.Entry)
	}
	if !noted {
		t.Error("the PVH note does not name the entry")
	}
}

// findMultiboot looks for a Multiboot header in the first limit bytes.
func findMultiboot(b []byte, limit int) int {
	for at := 0; at+12 <= limit; at += 4 {
		h := b[at:]
		if binary.LittleEndian.Uint32(h) == 0x1BADB002 &&
			binary.LittleEndian.Uint32(h)+binary.LittleEndian.Uint32(h[4:])+binary.LittleEndian.Uint32(h[8:]) == 0 {
			return at
		}
	}
	return -1
}

// TestMultibootHeader reads the file as a Multiboot loader does, and compares
// what it would load with what an ELF loader loads.
func TestMultibootHeader(t *testing.T) {
	b := readImage(t)
	at := findMultiboot(b, 8192)
	if at < 0 || at+32 > 8192 {
		t.Fatalf("header at %d, want it whole in the first 8192 bytes", at)
	}
	if qemu := findMultiboot(b, 8192-48+8); qemu >= 0 {
		t.Errorf("header at %d, where QEMU finds it", qemu)
	}
	var h struct{ Magic, Flags, Checksum, Header, Load, LoadEnd, BSSEnd, Entry uint32 }
	if _, err := binary.Decode(b[at:], binary.LittleEndian, &h); err != nil {
		t.Fatal(err)
	}
	if h.Flags&(1<<16) == 0 || h.Load > h.Header || uint32(at) < h.Header-h.Load {
		t.Fatalf("header %+v", h)
	}
	offset := at - int(h.Header-h.Load) // of Load in the file
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if uint64(h.Entry) != f.Entry {
		t.Errorf("entry %#x, want %#x", h.Entry, f.Entry)
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if got := uint64(offset) + p.Vaddr - uint64(h.Load); got != p.Off || p.Vaddr < uint64(h.Load) ||
			p.Vaddr+p.Filesz > uint64(h.LoadEnd) || p.Vaddr+p.Memsz > uint64(h.BSSEnd) {
			t.Errorf("segment %+v is not where Multiboot loads it (%+v)", p.ProgHeader, h)
		}
	}
	if want := int64(offset) + int64(h.LoadEnd-h.Load); want != int64(len(b)) {
		t.Errorf("Multiboot loads up to %d of %d bytes", want, len(b))
	}
}

// TestSize wants the smallest image to be small: a program pays for what it uses, and
// nothing that the kernel or this package adds brings more than itself.
func TestSize(t *testing.T) {
	const limit = 2_000_000
	if hello.Size >= limit {
		t.Errorf("hello takes %d bytes, want less than %d", hello.Size, limit)
	}
}

// TestIdentity computes the identity from the finished file and finds it, and
// the rest of the stamp, in the file.
func TestIdentity(t *testing.T) {
	b := readImage(t)
	at := bytes.Index(b, hello.ID[:])
	if at < 0 {
		t.Fatal("the file does not have its identity")
	}
	var s boot.Stamp
	if _, err := binary.Decode(b[at+32-boot.StampSize:], binary.LittleEndian, &s); err != nil {
		t.Fatal(err)
	}
	if s.Version != boot.StampVersion || s.End-s.Start != hello.Span || s.MinMemory != hello.MinMemory ||
		s.Self-s.Start != uint64(at+32-boot.StampSize-headerSize) {
		t.Errorf("stamp %+v does not fit %+v", s, hello)
	}
	clear(b[at : at+32])
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			binary.Write(h, binary.LittleEndian, []uint64{p.Vaddr, p.Filesz, p.Memsz})
			h.Write(b[p.Off : p.Off+p.Filesz])
		}
	}
	if got := [32]byte(h.Sum(nil)); got != hello.ID {
		t.Errorf("the loaded segments have identity %x, want %x", got, hello.ID)
	}
}

// TestReproducible builds again from another folder, then another program.
func TestReproducible(t *testing.T) {
	out := filepath.Join(t.TempDir(), "again.elf")
	again, err := Build(t.Context(), Options{Package: "./hello", Dir: filepath.Join("..", "..", "images"), Output: out})
	if err != nil {
		t.Fatal(err)
	}
	if again.ID != hello.ID {
		t.Errorf("the same program has identities %x and %x", again.ID, hello.ID)
	}
	other, err := Build(t.Context(), Options{Package: "nuos/images/hello", Output: out, LDFlags: "-X runtime.godebugDefault=gctrace=0"})
	if err != nil {
		t.Fatal(err)
	}
	if other.ID == hello.ID {
		t.Error("two programs have the same identity")
	}
	more, err := Build(t.Context(), Options{Package: "nuos/images/hello", Output: out, MinMemory: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if more.ID == hello.ID || more.MinMemory != 1<<30 {
		t.Errorf("MinMemory %d, identity %x; want %d and another identity", more.MinMemory, more.ID, 1<<30)
	}
}

func TestBuildErrors(t *testing.T) {
	output := filepath.Join(t.TempDir(), "x.elf")
	for _, c := range []struct {
		name, pkg, ldflags string
		is                 error
		says               string
	}{
		{"a library", "nuos/boot", "", ErrNotMain, "name the folder of a program"},
		{"no such package", "./no/such/folder", "", nil, "no/such/folder"},
		{"several packages", "nuos/boot/...", "", nil, "several packages"},
		{"does not compile", "./testdata/broken", "", nil, "undefined: missing"},
		{"bad flag", "nuos/images/hello", "-nosuchflag", nil, "nosuchflag"},
		{"linked elsewhere", "nuos/images/hello", "-T 0x10000000", ErrFormat, "must end below 0x8000000"},
	} {
		_, err := Build(t.Context(), Options{Package: c.pkg, Output: output, LDFlags: c.ldflags})
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", c.name, err, c.says)
		}
		if _, err := os.Stat(output); err == nil {
			t.Errorf("%s: an image was written", c.name)
		}
	}
}

func TestNoGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Build(t.Context(), Options{Package: "nuos/images/hello"}); !errors.Is(err, ErrNoGo) {
		t.Errorf("Build without a go command: %v, want %v", err, ErrNoGo)
	}
}

// TestNotAnImage gives the writer what the linker did not make for it.
func TestNotAnImage(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{self: "without the entry code", "image_test.go": "bad magic", "no such file": "no such file"} {
		if _, err := readLinked(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("readLinked(%q): %v; want %q", path, err, says)
		}
	}
}
