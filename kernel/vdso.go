//go:build metal

package kernel

import "unsafe"

// A vDSO: the smallest ELF image in which the Go runtime finds clock_gettime,
// so that time.Now costs no system call. It has a header, a loadable segment, a
// dynamic section, two symbols and a hash table of one bucket. Its one function
// is not in it but in the kernel; the symbol's value, relative to the image,
// leads there.
//
// ELF-64 object file format, version 1.5, draft 2: headers in section 4 and 8,
// symbols in section 7, dynamic tags in section 9; the hash table is that of
// the System V ABI.

type vdsoImage struct {
	elfHeader
	load, dyn elfSegment
	dynamic   [6][2]uint64
	symbols   [2]vdsoSymbol
	hash      [5]uint32 // 1 bucket, 2 chains, bucket 0, chains 0 and 1
	version1  vdsoVersion
	versions  [2]uint16 // of the symbols
	names     [32]byte
}

// elfHeader is Elf64_Ehdr.
type elfHeader struct {
	ident                                                [16]byte
	kind, machine                                        uint16
	version                                              uint32
	entry, phoff, shoff                                  uint64
	flags                                                uint32
	ehsize, phentsize, phnum, shentsize, shnum, shstrndx uint16
}

// elfSegment is Elf64_Phdr.
type elfSegment struct {
	kind, flags                                  uint32
	offset, vaddr, paddr, filesz, memsz, aligned uint64
}

// vdsoVersion is the definition of version 1, LINUX_2.6 (Linux Standard Base,
// symbol versioning).
type vdsoVersion struct {
	revision, flags, index, count uint16
	hash, aux, next               uint32
	name, nextName                uint32
}

type vdsoSymbol struct {
	name        uint32
	info, other uint8
	section     uint16
	value, size uint64
}

var vdso vdsoImage

// makeVDSO fills the image in and returns its address, the value of
// AT_SYSINFO_EHDR.
func makeVDSO() uint64 {
	v := &vdso
	base := uint64(uintptr(unsafe.Pointer(v)))
	v.ident = [16]byte{0x7F, 'E', 'L', 'F', 2, 1, 1}
	v.kind, v.machine, v.version = 3, 62, 1
	v.phoff, v.ehsize = uint64(unsafe.Offsetof(v.load)), 64
	v.phentsize, v.phnum = uint16(unsafe.Sizeof(v.load)), 2
	v.load = elfSegment{kind: 1, flags: 5, filesz: uint64(unsafe.Sizeof(*v)), memsz: uint64(unsafe.Sizeof(*v)), aligned: 4096}
	v.dyn = elfSegment{kind: 2, flags: 4, offset: uint64(unsafe.Offsetof(v.dynamic)), vaddr: uint64(unsafe.Offsetof(v.dynamic))}
	v.dyn.filesz = uint64(unsafe.Sizeof(v.dynamic))
	v.dyn.memsz = v.dyn.filesz
	const tagHash, tagStrings, tagSymbols, tagVersions, tagDefinitions = 4, 5, 6, 0x6FFFFFF0, 0x6FFFFFFC
	v.dynamic = [6][2]uint64{
		{tagHash, uint64(unsafe.Offsetof(v.hash))},
		{tagStrings, uint64(unsafe.Offsetof(v.names))},
		{tagSymbols, uint64(unsafe.Offsetof(v.symbols))},
		{tagVersions, uint64(unsafe.Offsetof(v.versions))},
		{tagDefinitions, uint64(unsafe.Offsetof(v.version1))},
	}
	copy(v.names[1:], "__vdso_clock_gettime")
	copy(v.names[22:], "LINUX_2.6")
	v.version1 = vdsoVersion{revision: 1, index: 1, count: 1, hash: 0x3AE75F6, aux: 20, name: 22}
	v.versions = [2]uint16{0, 1}
	v.symbols[1] = vdsoSymbol{name: 1, info: 1<<4 | 2, section: 1, value: uint64(addressOfVDSO()) - base}
	v.hash = [5]uint32{1, 2, 1, 0, 0}
	return base
}
