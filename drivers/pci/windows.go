package pci

import "nuos/mm"

const (
	ioapicBase = 0xfec0_0000 // interrupt controllers, timers and firmware lie from here to 4 GiB
	holeBase   = 0xc000_0000 // all PC chipsets and QEMU's machines decode PCI from here, memory permitting
	fourGiB    = 1 << 32
)

// NewWindows chooses where new addresses may lie: in the hole below 4 GiB that
// every machine has, and in the top quarter of the physical address space of
// physBits bits, where QEMU's microvm has its upper window and other machines
// have nothing. Used is what is taken there: memory, configuration space.
func NewWindows(used []mm.PhysRange, physBits int) Windows {
	w := Windows{
		Low:  mm.PhysRange{Base: holeBase, Size: ioapicBase - holeBase},
		Used: used,
	}
	if top := uint64(1) << physBits; top/4*3 >= fourGiB {
		w.High = mm.PhysRange{Base: mm.Phys(top / 4 * 3), Size: top / 4}
	}
	return w
}
