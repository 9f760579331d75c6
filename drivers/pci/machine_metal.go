//go:build metal

package pci

import (
	"fmt"
	"sync"

	"nuos/boot"
	"nuos/boot/acpi"
	"nuos/mm"
)

// Machine returns the machine's buses, scanned on first use. Error: ErrNoPCI.
var Machine = sync.OnceValues(scanMachine)

func scanMachine() (*Bus, error) {
	var used []mm.PhysRange
	for _, r := range boot.Machine().Regions() {
		used = append(used, mm.PhysRange{Base: mm.Phys(r.Base), Size: r.Size})
	}
	access, space, err := findAccess(used)
	if err != nil {
		return nil, err
	}
	first := uint8(0)
	if e, ok := access.(*ECAM); ok {
		first = e.First
	}
	return Scan(access, first, NewWindows(append(used, space...), physBits()), mapRegisters), nil
}

// findAccess returns the way to segment group 0's configuration space and all
// addresses that such spaces take.
func findAccess(memory []mm.PhysRange) (access Access, space []mm.PhysRange, err error) {
	tables := acpi.Machine()
	for _, e := range tables.ECAMs[:tables.NumECAMs] {
		if e.Last < e.First {
			continue
		}
		r := mm.PhysRange{
			Base: mm.Phys(e.Base) + mm.Phys(e.First)*busSpace,
			Size: (uint64(e.Last) - uint64(e.First) + 1) * busSpace,
		}
		space = append(space, r)
		if e.Segment == 0 && access == nil {
			v, err := mm.MapDevice(r.Base, r.Size)
			if err != nil {
				return nil, nil, fmt.Errorf("%w: ECAM: %w", ErrNoPCI, err)
			}
			access = NewECAM(e.First, e.Last, v)
		}
	}
	if access == nil && portsAnswer() {
		access = &ports{}
	}
	if access == nil {
		return genericBridge(memory)
	}
	return access, space, nil
}

// genericBridge looks for the host bridge of QEMU's microvm: its ECAM is named
// only in AML, but always in the same place. The function at 00:00.0 there
// must be that bridge, or nothing is touched.
func genericBridge(memory []mm.PhysRange) (Access, []mm.PhysRange, error) {
	space := mm.PhysRange{Base: 0xe000_0000, Size: 256 * busSpace}
	for _, r := range memory {
		if r.Base < space.End() && space.Base < r.End() {
			return nil, nil, ErrNoPCI
		}
	}
	v, err := mm.MapDevice(space.Base, space.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: ECAM: %w", ErrNoPCI, err)
	}
	e := NewECAM(0, 255, v)
	const redHatBridge = 0x0008_1b36 // device and vendor
	if e.Read(Address{}, regVendor, 4) != redHatBridge {
		return nil, nil, ErrNoPCI
	}
	return e, []mm.PhysRange{space}, nil
}

// physBits returns the width of physical addresses.
func physBits() int {
	if top, _ := cpuid(0x8000_0000); top < 0x8000_0008 {
		return 36
	}
	a, _ := cpuid(0x8000_0008)
	return min(int(a&0xff), 46) // mm's direct map and page tables go further, chipsets rarely
}

// ports is configuration space behind two I/O ports (PCI 3.2.2.3.2). It has
// the first 256 bytes of each function.
type ports struct {
	mu sync.Mutex // an access takes two steps
}

const (
	portAddress = 0xcf8
	portData    = 0xcfc
	portEnable  = 1 << 31
)

// portsAnswer reports whether a host bridge listens on the ports: the address
// register keeps what is written. Where nothing listens, all ones are read.
func portsAnswer() bool {
	out32(portAddress, portEnable)
	return in32(portAddress) == portEnable
}

// selects points the data port at a register and returns the port that has it.
// Precondition: p.mu is held.
func (p *ports) selects(a Address, offset int) uint16 {
	out32(portAddress, portEnable|uint32(a.Bus)<<16|uint32(a.Device&31)<<11|uint32(a.Function&7)<<8|uint32(offset&0xfc))
	return portData + uint16(offset&3)
}

func (p *ports) Read(a Address, offset, size int) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	port := p.selects(a, offset)
	switch size {
	case 1:
		return uint32(in8(port))
	case 2:
		return uint32(in16(port))
	}
	return in32(port)
}

func (p *ports) Write(a Address, offset, size int, v uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	port := p.selects(a, offset)
	switch size {
	case 1:
		out8(port, uint8(v))
	case 2:
		out16(port, uint16(v))
	default:
		out32(port, v)
	}
}

func in8(port uint16) uint8
func in16(port uint16) uint16
func in32(port uint16) uint32
func out8(port uint16, v uint8)
func out16(port uint16, v uint16)
func out32(port uint16, v uint32)
func cpuid(leaf uint32) (a, b uint32)

func mapRegisters(p mm.Phys, size uint64) (Registers, error) {
	v, err := mm.MapDevice(p, size)
	return Registers{Base: v, Size: size}, err
}
