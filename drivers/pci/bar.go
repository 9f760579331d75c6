package pci

import "nuos/mm"

// BAR is a base address register (PCI 6.2.5): a block of registers or memory
// of a function, or nothing if Size is 0. A 64-bit BAR stands at the lower of
// its two indices.
type BAR struct {
	Base         mm.Phys // 0: has no address
	Size         uint64  // a power of two
	IO           bool    // in I/O ports, not memory
	Wide         bool    // 64 bits: may lie above 4 GiB
	Prefetchable bool
}

const (
	barIO       = 1 << 0
	barTypeMask = 3 << 1
	barWide     = 2 << 1
	barPrefetch = 1 << 3
)

// barCount is how many BARs a header of the type has.
func barCount(header uint8) int {
	switch header {
	case headerNormal:
		return 6
	case headerBridge:
		return 2
	}
	return 0
}

// readBARs reads and sizes f's BARs. The function does not answer to any
// address meanwhile, because the sizes pass through its address registers.
func (f *Function) readBARs() {
	command := f.Read(regCommand, 2)
	f.Write(regCommand, 2, command&^(commandIO|commandMemory))
	for i := 0; i < barCount(f.header); i++ {
		low := f.Read(regBAR+4*i, 4)
		mask := f.probe(i, low)
		if low&barIO != 0 {
			// The upper half may be hardwired to zero: 64 Ki ports.
			if size := uint64(^(mask&^3)+1) & 0xffff; mask&^3 != 0 {
				f.BARs[i] = BAR{Base: mm.Phys(low &^ 3), Size: size, IO: true}
			}
			continue
		}
		bar := BAR{Prefetchable: low&barPrefetch != 0, Wide: low&barTypeMask == barWide}
		base, bits := uint64(low&^15), uint64(mask&^15)
		if bar.Wide && i+1 < barCount(f.header) {
			high := f.Read(regBAR+4*(i+1), 4)
			base |= uint64(high) << 32
			bits |= uint64(f.probe(i+1, high)) << 32
		} else if bits != 0 {
			bar.Wide = false
			bits |= 0xffff_ffff << 32
		}
		// The lowest bit that can be set is the size (PCI 6.2.5.1).
		if size := bits & -bits; size != 0 {
			bar.Base, bar.Size = mm.Phys(base&^(size-1)), size
			f.BARs[i] = bar
		}
		if bar.Wide {
			i++
		}
	}
	f.Write(regCommand, 2, command)
}

// probe returns which bits of BAR register i can be set, and restores it.
func (f *Function) probe(i int, old uint32) uint32 {
	f.Write(regBAR+4*i, 4, 0xffff_ffff)
	mask := f.Read(regBAR+4*i, 4)
	f.Write(regBAR+4*i, 4, old)
	return mask
}

// setBAR gives memory BAR i an address.
func (f *Function) setBAR(i int, base mm.Phys) {
	command := f.Read(regCommand, 2)
	f.Write(regCommand, 2, command&^commandMemory)
	f.Write(regBAR+4*i, 4, uint32(base))
	if f.BARs[i].Wide {
		f.Write(regBAR+4*(i+1), 4, uint32(uint64(base)>>32))
	}
	f.Write(regCommand, 2, command)
	f.BARs[i].Base = base
}
