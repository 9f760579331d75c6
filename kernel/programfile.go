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

// makeProgramFile makes the headers in memory, which nothing else reads, say what
// there is.
func makeProgramFile() {
	base := uintptr(mm.DirectArea.Base) + uintptr(boot.Machine().Image.Base)
	h := (*elfHeader)(pointer(base))
	if [4]byte(h.ident[:4]) != [4]byte{0x7F, 'E', 'L', 'F'} {
		return // the loader did not put it there
	}
	text, _, _ := programSections()
	linked := uint64(text&^(mm.PageSize-1) - mm.PageSize)
	h.shoff, h.shnum, h.shstrndx = 0, 0, 0
	size := uint64(0)
	for i := range uintptr(h.phnum) {
		const load = 1 // PT_LOAD
		p := (*elfSegment)(pointer(base + uintptr(h.phoff) + i*unsafe.Sizeof(elfSegment{})))
		if p.vaddr < linked {
			continue
		}
		p.offset = p.vaddr - linked
		if p.kind == load {
			size = max(size, p.offset+p.filesz)
		}
	}
	find(unsafe.String(&programName[0], len(programName)-1))
	if walk.MakeFixed(syscall.S_IFREG|0o755, base, int64(size)) == 0 {
		var s syscall.Stat_t
		walk.Node.Stat(&s)
		programNumber = s.Ino
	}
}
