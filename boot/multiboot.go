package boot

// The Multiboot information structure: Multiboot Specification 0.6.96, 3.3.
const (
	multibootMagic  = 0x2BADB002 // in EAX at the entry
	multibootMemory = 1 << 0
	multibootLine   = 1 << 2
	multibootMods   = 1 << 3
	multibootMap    = 1 << 6
	multibootInfo   = 52 // bytes up to and with mmap_addr
)

// parseMultiboot fills in what the Multiboot information at addr says.
func (in *Info) parseMultiboot(mem Memory, addr uint64) Refusal {
	in.Method = Multiboot
	b := mem(addr, multibootInfo)
	if b == nil {
		return NoMemoryMap
	}
	flags := u32(b, 0)
	if flags&multibootLine != 0 {
		in.readLine(mem, uint64(u32(b, 16)))
	}
	if flags&multibootMods != 0 && u32(b, 20) > 0 {
		if m := mem(uint64(u32(b, 24)), 16); m != nil && u32(m, 4) > u32(m, 0) {
			in.setArchive(uint64(u32(m, 0)), uint64(u32(m, 4)-u32(m, 0)))
		}
	}
	switch {
	case flags&multibootMap != 0:
		in.parseMultibootMap(mem, uint64(u32(b, 48)), uint64(u32(b, 44)))
	case flags&multibootMemory != 0:
		// KiB from 0 and KiB from 1 MiB.
		in.addRegion(0, uint64(u32(b, 4))<<10, RAM)
		in.addRegion(1<<20, uint64(u32(b, 8))<<10, RAM)
	default:
		return NoMemoryMap
	}
	return ""
}

// parseMultibootMap reads length bytes of entries. Each begins with its own
// size, which does not count the size field itself.
func (in *Info) parseMultibootMap(mem Memory, at, length uint64) {
	end := at + length
	for n := 0; at+24 <= end; n++ {
		e := mem(at, 24)
		if e == nil || u32(e, 0) < 20 || n == maxEntries {
			in.MemoryDropped++
			return
		}
		in.addRegion(u64(e, 4), u64(e, 12), Kind(u32(e, 20)))
		at += 4 + uint64(u32(e, 0))
	}
}
