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
	tables := acpi.Machine()
	for _, e := range tables.ECAMs[:tables.NumECAMs] {
		size := (uint64(e.Last) - uint64(e.First) + 1) * busSpace
		base := mm.Phys(e.Base) + mm.Phys(e.First)*busSpace
		used = append(used, mm.PhysRange{Base: base, Size: size})
	}
	w := NewWindows(used, physBits())
	for _, e := range tables.ECAMs[:tables.NumECAMs] {
		if e.Segment != 0 || e.Last < e.First {
			continue
		}
		size := (uint64(e.Last) - uint64(e.First) + 1) * busSpace
		v, err := mm.MapDevice(mm.Phys(e.Base)+mm.Phys(e.First)*busSpace, size)
		if err != nil {
			return nil, fmt.Errorf("%w: ECAM: %w", ErrNoPCI, err)
		}
		return Scan(NewECAM(e.First, e.Last, v), e.First, w, mm.MapDevice), nil
	}
	if !portsAnswer() {
		return nil, ErrNoPCI
	}
	return Scan(&ports{}, 0, w, mm.MapDevice), nil
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
