package acpi

// Types of the MADT's entries, with the size that each has at least.
const (
	localAPIC         = 0 // 5.2.12.2
	ioAPIC            = 1 // 5.2.12.3
	interruptOverride = 2 // 5.2.12.5
	localAPICAddress  = 5 // 5.2.12.8
	localX2APIC       = 9 // 5.2.12.12

	enabled = 1 << 0 // in the flags of a processor
)

// parseMADT reads the Multiple APIC Description Table (5.2.12).
func (t *Tables) parseMADT(b []byte) {
	const fixed = headerSize + 8
	if len(b) < fixed {
		t.Corrupt++
		return
	}
	t.LocalAPIC = uint64(u32(b, 36))
	t.PICs = u32(b, 40)&1 != 0
	for b = b[fixed:]; len(b) >= 2; {
		size := int(b[1])
		if size < 2 || size > len(b) {
			t.Dropped++ // and all behind it: where they begin is unknown
			return
		}
		t.parseMADTEntry(b[:size])
		b = b[size:]
	}
}

func (t *Tables) parseMADTEntry(e []byte) {
	switch {
	case e[0] == localAPIC && len(e) >= 8:
		if u32(e, 4)&enabled != 0 && e[3] != 0xFF {
			t.addProcessor(Processor{APIC: uint32(e[3]), UID: uint32(e[2])})
		}
	case e[0] == localX2APIC && len(e) >= 16:
		if u32(e, 8)&enabled != 0 && u32(e, 4) != 0xFFFFFFFF {
			t.addProcessor(Processor{APIC: u32(e, 4), UID: u32(e, 12)})
		}
	case e[0] == ioAPIC && len(e) >= 12:
		if t.NumIOAPICs == MaxIOAPICs {
			t.Dropped++
			return
		}
		t.IOAPICs[t.NumIOAPICs] = IOAPIC{ID: uint32(e[2]), Address: uint64(u32(e, 4)), First: u32(e, 8)}
		t.NumIOAPICs++
	case e[0] == interruptOverride && len(e) >= 10:
		if t.NumOverrides == MaxOverrides {
			t.Dropped++
			return
		}
		t.Overrides[t.NumOverrides] = Override{IRQ: e[3], Global: u32(e, 4), Flags: u16(e, 8)}
		t.NumOverrides++
	case e[0] == localAPICAddress && len(e) >= 12:
		t.LocalAPIC = u64(e, 4)
	case e[0] == localAPIC, e[0] == localX2APIC, e[0] == ioAPIC, e[0] == interruptOverride, e[0] == localAPICAddress:
		t.Dropped++ // too short for what it says it is
	}
}

// addProcessor adds p unless it is listed already: firmware may list a
// processor both as APIC and as x2APIC.
func (t *Tables) addProcessor(p Processor) {
	for i := range t.NumProcessors {
		if t.Processors[i].APIC == p.APIC {
			return
		}
	}
	if t.NumProcessors == MaxProcessors {
		t.Dropped++
		return
	}
	t.Processors[t.NumProcessors] = p
	t.NumProcessors++
}
