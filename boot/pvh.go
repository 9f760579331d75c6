package boot

// The structures of the PVH boot protocol: Xen's
// public/arch-x86/hvm/start_info.h, "x86/HVM direct boot ABI".
const (
	pvhMagic     = 0x336ec578 // "xEn3" with the highest bit of the "E" set
	pvhInfoSize  = 40         // version 0, without the memory map
	pvhInfoSize1 = 56
	pvhModule    = 32
	pvhRegion    = 24
)

// isPVH reports whether a hvm_start_info stands at addr.
func isPVH(mem Memory, addr uint64) bool {
	b := mem(addr, pvhInfoSize)
	return b != nil && u32(b, 0) == pvhMagic
}

// parsePVH fills in what the hvm_start_info at addr says.
func (in *Info) parsePVH(mem Memory, addr uint64) Refusal {
	in.Method = PVH
	b := mem(addr, pvhInfoSize)
	version, modules := u32(b, 4), u32(b, 12)
	moduleList, line := u64(b, 16), u64(b, 24)
	in.RSDP = u64(b, 32)

	if line != 0 {
		in.readLine(mem, line)
	}
	if modules > 0 {
		if m := mem(moduleList, pvhModule); m != nil {
			in.setArchive(u64(m, 0), u64(m, 8))
		}
	}
	if version < 1 {
		return NoMemoryMap
	}
	if b = mem(addr, pvhInfoSize1); b == nil {
		return NoMemoryMap
	}
	table, entries := u64(b, 40), u32(b, 48)
	for i := range uint64(entries) {
		e := mem(table+i*pvhRegion, pvhRegion)
		if e == nil || i == maxEntries {
			in.MemoryDropped += int(uint64(entries) - i)
			break
		}
		in.addRegion(u64(e, 0), u64(e, 8), Kind(u32(e, 16)))
	}
	return ""
}
