package pci

import "nuos/mm"

// Access reads and writes configuration space. size is 1, 2 or 4 bytes, offset
// a multiple of it. A function that is not there reads as all ones. It is safe
// for concurrent use.
type Access interface {
	Read(a Address, offset, size int) uint32
	Write(a Address, offset, size int, v uint32)
}

// ECAM is memory-mapped configuration space (PCIe 7.2.2) for the buses First
// to Last.
type ECAM struct {
	First, Last uint8
	regs        Registers // of bus First and up
}

// busSpace is the configuration space of one bus: 32 devices, 8 functions,
// 4 KiB.
const busSpace = 1 << 20

// NewECAM returns the configuration space that was mapped at v.
func NewECAM(first, last uint8, v mm.Virt) *ECAM {
	return &ECAM{first, last, Registers{Base: v, Size: (uint64(last) - uint64(first) + 1) * busSpace}}
}

func (e *ECAM) offset(a Address, offset int) uint64 {
	return uint64(a.Bus-e.First)<<20 | uint64(a.Device&31)<<15 | uint64(a.Function&7)<<12 | uint64(offset&4095)
}

func (e *ECAM) Read(a Address, offset, size int) uint32 {
	if a.Bus < e.First || a.Bus > e.Last {
		return 1<<(8*size) - 1
	}
	at := e.offset(a, offset)
	switch size {
	case 1:
		return uint32(e.regs.Read8(at))
	case 2:
		return uint32(e.regs.Read16(at))
	}
	return e.regs.Read32(at)
}

func (e *ECAM) Write(a Address, offset, size int, v uint32) {
	if a.Bus < e.First || a.Bus > e.Last {
		return
	}
	at := e.offset(a, offset)
	switch size {
	case 1:
		e.regs.Write8(at, uint8(v))
	case 2:
		e.regs.Write16(at, uint16(v))
	default:
		e.regs.Write32(at, v)
	}
}
