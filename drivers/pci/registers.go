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

	model Model
}

// Model is what a test has in the place of a block of registers. Offsets are those in the
// block that ModelRegisters returned, sizes are 1, 2, 4 or 8 bytes.
type Model interface {
	Load(offset, size uint64) uint64
	Store(offset, size, v uint64)
}

// ModelRegisters is a block of size bytes all of whose accesses go to m.
func ModelRegisters(m Model, size uint64) Registers { return Registers{Size: size, model: m} }

// Part returns size bytes of r from offset.
func (r Registers) Part(offset, size uint64) (Registers, error) {
	if offset > r.Size || size > r.Size-offset {
		return Registers{}, fmt.Errorf("pci: registers %#x to %#x of %#x", offset, offset+size, r.Size)
	}
	return Registers{r.Base + mm.Virt(offset), size, r.model}, nil
}

// at checks that an access of size bytes at offset is inside.
func (r Registers) at(offset, size uint64) mm.Virt {
	if offset%size != 0 || r.Size < size || offset > r.Size-size {
		panic("pci: register access outside of its block")
	}
	return r.Base + mm.Virt(offset)
}

func (r Registers) Read8(offset uint64) uint8 {
	at := r.at(offset, 1)
	if r.model != nil {
		return uint8(r.model.Load(uint64(at), 1))
	}
	return load8(at)
}

func (r Registers) Read16(offset uint64) uint16 {
	at := r.at(offset, 2)
	if r.model != nil {
		return uint16(r.model.Load(uint64(at), 2))
	}
	return load16(at)
}

func (r Registers) Read32(offset uint64) uint32 {
	at := r.at(offset, 4)
	if r.model != nil {
		return uint32(r.model.Load(uint64(at), 4))
	}
	return load32(at)
}

func (r Registers) Read64(offset uint64) uint64 {
	at := r.at(offset, 8)
	if r.model != nil {
		return r.model.Load(uint64(at), 8)
	}
	return load64(at)
}

func (r Registers) Write8(offset uint64, v uint8) {
	at := r.at(offset, 1)
	if r.model != nil {
		r.model.Store(uint64(at), 1, uint64(v))
		return
	}
	store8(at, v)
}

func (r Registers) Write16(offset uint64, v uint16) {
	at := r.at(offset, 2)
	if r.model != nil {
		r.model.Store(uint64(at), 2, uint64(v))
		return
	}
	store16(at, v)
}

func (r Registers) Write32(offset uint64, v uint32) {
	at := r.at(offset, 4)
	if r.model != nil {
		r.model.Store(uint64(at), 4, uint64(v))
		return
	}
	store32(at, v)
}

func (r Registers) Write64(offset uint64, v uint64) {
	at := r.at(offset, 8)
	if r.model != nil {
		r.model.Store(uint64(at), 8, v)
		return
	}
	store64(at, v)
}

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
