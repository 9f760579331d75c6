package image

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nuos/boot"
)

const (
	entrySymbol = "nuos/boot.entry32"
	stampSymbol = "nuos/boot.stamp"

	pageSize = 4096
)

// linkedFile is what the Go linker wrote, as far as it is loaded: a piece of
// memory without holes.
type linkedFile struct {
	segments []elf.ProgHeader
	start    uint64 // address of the first byte
	data     []byte // from start up to the zeroed data
	end      uint64 // address behind the zeroed data that loaders provide
	limit    uint64 // address behind all zeroed data
	entry    uint64
	stamp    uint64 // address of boot.Stamp
	inits    initOrder
}

// write turns the linker's output into the image opt.Output, in which some packages
// are initialized first.
func (res *Result) write(linked string, first map[string]bool, opt Options) error {
	f, err := readLinked(linked)
	if err == nil {
		err = f.initialize(first)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	res.Span = f.end - f.start
	res.MinMemory = opt.MinMemory
	if res.MinMemory == 0 {
		res.MinMemory = res.Span + WorkingMemory
	}
	if res.ID, err = f.putStamp(res.MinMemory); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	out := append(f.header(), f.data...)
	res.Size = int64(len(out))
	if opt.Symbols {
		if err := f.writeSymbols(linked, opt.Output+SymbolsSuffix); err != nil {
			return err
		}
	}
	return replaceFile(opt.Output, out)
}

// SymbolsSuffix is what an image's name has more when it is that of the file with
// its symbols: what the linker wrote, symbol table and DWARF included, with the
// image's stamp, by which the two are known to belong together. The image itself
// has no symbols, so that loaders read no more than what is run.
const SymbolsSuffix = ".debug"

// writeSymbols writes the linker's output with what write has changed in it.
func (f *linkedFile) writeSymbols(linked, path string) error {
	b, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	for _, p := range f.segments {
		copy(b[p.Off:][:p.Filesz], f.data[p.Vaddr-f.start:])
	}
	return replaceFile(path, b)
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Chmod(0o755), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

func readLinked(path string) (*linkedFile, error) {
	e, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	if e.Class != elf.ELFCLASS64 || e.Machine != elf.EM_X86_64 || e.Type != elf.ET_EXEC {
		return nil, fmt.Errorf("%v %v %v, want a 64-bit x86 executable at fixed addresses", e.Class, e.Machine, e.Type)
	}
	f := &linkedFile{entry: e.Entry, inits: initOrder{tasks: map[uint64]string{}}}
	for _, p := range e.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if err := f.load(p); err != nil {
			return nil, err
		}
	}
	if f.start < headerSize || f.start%pageSize != 0 {
		return nil, fmt.Errorf("the program begins at %#x, want a page boundary from %#x on", f.start, headerSize)
	}
	symbols, err := e.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	entry := uint64(0)
	for _, s := range symbols {
		switch s.Name {
		case stampSymbol:
			f.stamp = s.Value
		case entrySymbol:
			entry = s.Value
		}
		f.inits.find(s)
		f.cut(s)
	}
	if f.stamp == 0 || entry == 0 || entry != f.entry {
		return nil, errors.New("the program was linked without symbols or without the entry code of nuos/boot")
	}
	return f, nil
}

// load appends a segment. Segments come in the order of their addresses, and
// only the last one may end in zeroed data, because a Multiboot loader takes
// all of them as one piece.
func (f *linkedFile) load(p *elf.Prog) error {
	if p.Memsz < p.Filesz || p.Memsz > boot.ImageLimit || p.Vaddr > boot.ImageLimit-p.Memsz {
		return fmt.Errorf("segment of %d bytes at %#x; an image must end below %#x", p.Memsz, p.Vaddr, uint64(boot.ImageLimit))
	}
	if len(f.segments) == 0 {
		f.start, f.end = p.Vaddr, p.Vaddr
	}
	if p.Vaddr < f.end || f.end != f.start+uint64(len(f.data)) {
		return fmt.Errorf("segment at %#x overlaps another or follows zeroed data", p.Vaddr)
	}
	f.data = append(f.data, make([]byte, p.Vaddr-f.end)...)
	b := make([]byte, p.Filesz)
	if _, err := p.ReadAt(b, 0); err != nil {
		return err
	}
	f.data = append(f.data, b...)
	f.end = p.Vaddr + p.Memsz
	f.limit = f.end
	f.segments = append(f.segments, p.ProgHeader)
	return nil
}

// onDemandSize is the size in bytes from which on the last zeroed variable of
// a program is left to be mapped on first use. There is one in every program
// that imports crypto/rand: 32 MiB in crypto/internal/fips140/drbg, used in
// FIPS mode only. The linker places zeroed data without pointers in the order of
// its size, so the largest comes last.
const onDemandSize = 1 << 20

// cut takes the variable s off the memory that loaders provide, if it is the
// last one and large enough.
func (f *linkedFile) cut(s elf.Symbol) {
	from := (s.Value + pageSize - 1) &^ (pageSize - 1)
	if s.Size >= onDemandSize && s.Value+s.Size == f.limit && from >= f.start+uint64(len(f.data)) {
		f.segments[len(f.segments)-1].Memsz -= f.limit - from
		f.end = from
	}
}

// putStamp fills in the stamp and returns the build identity.
func (f *linkedFile) putStamp(minMemory uint64) ([32]byte, error) {
	const size = uint64(boot.StampSize)
	at := f.stamp - f.start
	if f.stamp < f.start || at+size > uint64(len(f.data)) {
		return [32]byte{}, errors.New("the stamp has no bytes in the file")
	}
	b := f.data[at : at+size]
	if v := binary.LittleEndian.Uint64(b); v != boot.StampVersion {
		return [32]byte{}, fmt.Errorf("the stamp has version %d, want %d; nuos build and nuos/boot must be of one release", v, boot.StampVersion)
	}
	s := boot.Stamp{Version: boot.StampVersion, Self: f.stamp, Start: f.start, End: f.end, Limit: f.limit, MinMemory: minMemory}
	var buf bytes.Buffer
	if err := binary.Write(&buf, binary.LittleEndian, s); err != nil {
		return [32]byte{}, err
	}
	copy(b, buf.Bytes())

	h := sha256.New()
	for _, p := range f.segments {
		binary.Write(h, binary.LittleEndian, []uint64{p.Vaddr, p.Filesz, p.Memsz})
		h.Write(f.data[p.Vaddr-f.start:][:p.Filesz])
	}
	h.Sum(s.ID[:0])
	copy(b[size-32:], s.ID[:])
	return s.ID, nil
}
