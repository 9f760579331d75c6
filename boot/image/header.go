package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

const (
	headerSize      = 2 * pageSize // what precedes the segments in the file
	multibootOffset = headerSize - 48
)

// header returns the first headerSize bytes of the file.
func (f *linkedFile) header() []byte {
	b := make([]byte, headerSize)
	note := f.pvhNote()
	const ehdr, phdr = 64, 56
	phdrs := make([]elf.Prog64, 0, len(f.segments)+1)
	for _, p := range f.segments {
		phdrs = append(phdrs, elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(p.Flags),
			Off: headerSize + p.Vaddr - f.start, Vaddr: p.Vaddr, Paddr: p.Vaddr,
			Filesz: p.Filesz, Memsz: p.Memsz, Align: pageSize,
		})
	}
	noteOffset := uint64(ehdr + phdr*(len(f.segments)+1))
	phdrs = append(phdrs, elf.Prog64{
		Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R),
		Off: noteOffset, Filesz: uint64(len(note)), Memsz: uint64(len(note)), Align: 4,
	})
	put(b, elf.Header64{
		Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:    uint16(elf.ET_EXEC),
		Machine: uint16(elf.EM_X86_64),
		Version: uint32(elf.EV_CURRENT),
		Entry:   f.entry,
		Phoff:   ehdr, Ehsize: ehdr, Phentsize: phdr, Phnum: uint16(len(phdrs)),
	})
	put(b[ehdr:], phdrs)
	copy(b[noteOffset:], note)
	copy(b[multibootOffset:], f.multiboot(multibootOffset))
	return b
}

// pvhNote is the ELF note that makes a file a PVH kernel: the physical address
// of its 32-bit entry (Xen's public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY). The
// address has eight bytes because QEMU reads that many from a 64-bit file.
func (f *linkedFile) pvhNote() []byte {
	const physEntry = 18
	var note struct {
		NameSize, DescSize, Type uint32
		Name                     [4]byte
		Entry                    uint64
	}
	note.NameSize, note.DescSize, note.Type = 4, 8, physEntry
	copy(note.Name[:], "Xen")
	note.Entry = f.entry
	b := make([]byte, binary.Size(note))
	put(b, note)
	return b
}

// multiboot is the header of a Multiboot kernel that gives its addresses itself
// (Multiboot Specification 0.6.96, 3.1): such a loader need not know 64-bit
// ELF. It loads the file from the header on, offset bytes into the file.
func (f *linkedFile) multiboot(offset uint64) []byte {
	const (
		magic       = 0x1BADB002
		pageAlign   = 1 << 0 // modules on page boundaries
		memoryInfo  = 1 << 1
		ownAddress  = 1 << 16
		flags       = pageAlign | memoryInfo | ownAddress
		checksum    = -(magic + flags) & 0xFFFFFFFF
		headerBytes = 32
	)
	at := uint32(f.start - headerSize + offset)
	b := make([]byte, headerBytes)
	put(b, []uint32{magic, flags, checksum,
		at,                                    // header_addr
		at,                                    // load_addr
		uint32(f.start) + uint32(len(f.data)), // load_end_addr
		uint32(f.end),                         // bss_end_addr
		uint32(f.entry),
	})
	return b
}

// put writes v, whose size is fixed, at the beginning of b.
func put(b []byte, v any) {
	var buf bytes.Buffer
	if err := binary.Write(&buf, binary.LittleEndian, v); err != nil {
		panic(err) // v is one of this file's own structures
	}
	copy(b, buf.Bytes())
}
