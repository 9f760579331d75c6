package boot

// parse fills in from what the entry code found: the value of EAX and the
// address in EBX.
func (in *Info) parse(mem Memory, magic uint32, addr uint64) Refusal {
	var why Refusal
	switch {
	case isPVH(mem, addr): // PVH says nothing about EAX, so its own mark comes first
		why = in.parsePVH(mem, addr)
	case magic == multibootMagic:
		why = in.parseMultiboot(mem, addr)
	default:
		why = UnknownLoader
	}
	if why != "" {
		return why
	}
	if in.RSDP == 0 {
		in.RSDP = findRSDP(mem)
	}
	switch ram := in.RAM(); {
	case ram == 0:
		return NoRAM
	case ram < in.MinMemory:
		return NotEnoughMemory
	}
	return ""
}

// setArchive records the boot archive unless its address makes no sense.
func (in *Info) setArchive(base, size uint64) {
	if base != 0 && size != 0 && base+size > base {
		in.Archive = Region{base, size, Reserved}
	}
}

// findRSDP looks for ACPI's root pointer where PC firmware leaves it: on a
// 16-byte boundary in the first KiB of the extended BIOS data area or in the
// BIOS's read-only memory (ACPI 6.5, 5.2.5.1). It returns 0 if there is none.
func findRSDP(mem Memory) uint64 {
	if b := mem(0x40E, 2); b != nil {
		if ebda := (uint64(b[0]) | uint64(b[1])<<8) << 4; ebda != 0 {
			if at := scanRSDP(mem, ebda, 1<<10); at != 0 {
				return at
			}
		}
	}
	return scanRSDP(mem, 0xE0000, 0x20000)
}

func scanRSDP(mem Memory, from, size uint64) uint64 {
	for at := from; at+20 <= from+size; at += 16 {
		b := mem(at, 20)
		if b == nil {
			return 0
		}
		if string(b[:8]) != "RSD PTR " {
			continue
		}
		var sum byte
		for _, c := range b {
			sum += c
		}
		if sum == 0 {
			return at
		}
	}
	return 0
}
