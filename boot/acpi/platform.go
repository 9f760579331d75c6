package acpi

// parseHPET reads where the High Precision Event Timer's registers are (IA-PC HPET
// specification 1.0a, 3.2.4). Only ones in memory are known.
func (t *Tables) parseHPET(b []byte) {
	const space, address, end = 40, 44, 56
	const systemMemory = 0
	if len(b) < end {
		t.Corrupt++
		return
	}
	if b[space] == systemMemory {
		t.HPET = u64(b, address)
	}
}

// parseMCFG reads the list of memory-mapped PCI configuration spaces (PCI
// Firmware Specification 3.3, 4.1.2).
func (t *Tables) parseMCFG(b []byte) {
	const fixed, entry = headerSize + 8, 16
	for at := fixed; at+entry <= len(b); at += entry {
		e := ECAM{Base: u64(b, at), Segment: u16(b, at+8), First: b[at+10], Last: b[at+11]}
		if t.NumECAMs == MaxECAMs || e.Base == 0 || e.Last < e.First {
			t.Dropped++
			continue
		}
		t.ECAMs[t.NumECAMs] = e
		t.NumECAMs++
	}
}

// parseFADT reads the Fixed ACPI Description Table (5.2.9), of which later
// revisions have more fields: the power management timer.
func (t *Tables) parseFADT(b []byte) {
	const (
		timerPort    = 76
		timerLength  = 91
		flags        = 112
		timerAddress = 208 // a generic address (5.2.3.2), which takes precedence

		timer32      = 1 << 8
		hardwareLess = 1 << 20 // none of the fixed hardware exists
		systemIO     = 1
	)
	if len(b) < flags+4 || u32(b, flags)&hardwareLess != 0 || b[timerLength] != 4 {
		return
	}
	port := uint64(u32(b, timerPort))
	if len(b) >= timerAddress+12 && b[timerAddress] == systemIO && u64(b, timerAddress+4) != 0 {
		port = u64(b, timerAddress+4)
	}
	if port <= 0xFFFF {
		t.PMTimer = uint16(port)
		t.PMTimer32 = u32(b, flags)&timer32 != 0
	}
}
