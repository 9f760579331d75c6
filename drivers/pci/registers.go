package pci

import (
	"fmt"

	"nuos/mm"
)

// Registers is a mapped block of device registers. Each method is exactly one
// access of its width, in program order with the others; an offset outside of
// the block is a mistake in the driver and panics.
type Registers struct {
	Base mm.Virt
	Size uint64
}

// Part returns size bytes of r from offset.
func (r Registers) Part(offset, size uint64) (Registers, error) {
	if offset > r.Size || size > r.Size-offset {
		return Registers{}, fmt.Errorf("pci: registers %#x to %#x of %#x", offset, offset+size, r.Size)
	}
	return Registers{r.Base + mm.Virt(offset), size}, nil
}

// at checks that an access of size bytes at offset is inside.
func (r Registers) at(offset, size uint64) mm.Virt {
	if offset%size != 0 || r.Size < size || offset > r.Size-size {
		panic("pci: register access outside of its block")
	}
	return r.Base + mm.Virt(offset)
}

func (r Registers) Read8(offset uint64) uint8   { return load8(r.at(offset, 1)) }
func (r Registers) Read16(offset uint64) uint16 { return load16(r.at(offset, 2)) }
func (r Registers) Read32(offset uint64) uint32 { return load32(r.at(offset, 4)) }
func (r Registers) Read64(offset uint64) uint64 { return load64(r.at(offset, 8)) }

func (r Registers) Write8(offset uint64, v uint8)   { store8(r.at(offset, 1), v) }
func (r Registers) Write16(offset uint64, v uint16) { store16(r.at(offset, 2), v) }
func (r Registers) Write32(offset uint64, v uint32) { store32(r.at(offset, 4), v) }
func (r Registers) Write64(offset uint64, v uint64) { store64(r.at(offset, 8), v) }

// In assembly, because the compiler may split, join or leave out accesses to
// what it takes for memory.
func load8(v mm.Virt) uint8
func load16(v mm.Virt) uint16
func load32(v mm.Virt) uint32
func load64(v mm.Virt) uint64
func store8(v mm.Virt, x uint8)
func store16(v mm.Virt, x uint16)
func store32(v mm.Virt, x uint32)
func store64(v mm.Virt, x uint64)
