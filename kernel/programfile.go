//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/boot"
	"nuos/mm"
)

// The program as a file, which os.Executable names: the ELF file as far as a
// loader loads it, which is all but sections, symbols and debug information. It is
// shown where it lies in memory, so its data are what they are now.

// programNumber is the file's inode number.
var programNumber uint64

// programHeader is the begin of the file in memory, nil if the loader did not put it
// there.
func programHeader() *elfHeader {
	h := (*elfHeader)(pointer(uintptr(mm.DirectArea.Base) + uintptr(boot.Machine().Image.Base)))
	if [4]byte(h.ident[:4]) != [4]byte{0x7F, 'E', 'L', 'F'} {
		return nil
	}
	return h
}

func (h *elfHeader) segment(i uintptr) *elfSegment {
	at := uintptr(unsafe.Pointer(h)) + uintptr(h.phoff) + i*unsafe.Sizeof(elfSegment{})
	return (*elfSegment)(pointer(at))
}

// fixProgramHeader makes the headers, which nothing else reads, say where the program
// lies in memory.
// Precondition: the page tables are still boot's, which let the kernel write them.
func fixProgramHeader() {
	h := programHeader()
	if h == nil {
		return
	}
	text, _, _ := programSections()
	linked := uint64(text&^(mm.PageSize-1) - mm.PageSize)
	h.shoff, h.shnum, h.shstrndx = 0, 0, 0
	for i := range uintptr(h.phnum) {
		if p := h.segment(i); p.vaddr >= linked {
			p.offset = p.vaddr - linked
		}
	}
}

// makeProgramFile makes the file of what is in memory.
func makeProgramFile() {
	const load = 1 // PT_LOAD
	h := programHeader()
	if h == nil {
		return
	}
	size := uint64(0)
	for i := range uintptr(h.phnum) {
		if p := h.segment(i); p.kind == load {
			size = max(size, p.offset+p.filesz)
		}
	}
	find(unsafe.String(&programName[0], len(programName)-1))
	if walk.MakeFixed(syscall.S_IFREG|0o755, uintptr(unsafe.Pointer(h)), int64(size)) == 0 {
		var s syscall.Stat_t
		walk.Node.Stat(&s)
		programNumber = s.Ino
	}
}
