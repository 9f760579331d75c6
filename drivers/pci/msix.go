package pci

import "fmt"

// MSIX is a function's table of interrupt messages (PCI 6.8.2).
type MSIX struct {
	fn     *Function
	offset int // of the capability
	table  Registers
	// Vectors is the number of entries in the table.
	Vectors int
}

const (
	msixControl = 2 // offsets in the capability
	msixTable   = 4

	msixEnable   = 1 << 15
	msixMaskAll  = 1 << 14
	msixSizeMask = 0x7ff

	msixEntry      = 16 // bytes: address, upper half, data, control
	msixEntryMask  = 1  // in control
	msixBIR        = 7
	msixEntryData  = 8
	msixEntryFlags = 12
)

// OpenMSIX turns on messages instead of other interrupts, every vector masked.
// The function must be enabled. Errors: ErrNoMSIX, those of MapBAR.
func (f *Function) OpenMSIX() (*MSIX, error) {
	offset, ok := f.Capability(CapMSIX)
	if !ok || offset > 256-12 {
		return nil, fmt.Errorf("%w: %v", ErrNoMSIX, f)
	}
	control := f.Read(offset+msixControl, 2)
	where := f.Read(offset+msixTable, 4)
	bar, err := f.MapBAR(int(where & msixBIR))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoMSIX, err)
	}
	m := &MSIX{fn: f, offset: offset, Vectors: int(control&msixSizeMask) + 1}
	m.table, err = bar.Part(uint64(where&^msixBIR), uint64(m.Vectors)*msixEntry)
	if err != nil {
		return nil, fmt.Errorf("%w: %v: %w", ErrNoMSIX, f, err)
	}
	f.Write(offset+msixControl, 2, control|msixEnable|msixMaskAll)
	for i := range m.Vectors {
		m.table.Write32(uint64(i)*msixEntry+msixEntryFlags, msixEntryMask)
	}
	f.Write(offset+msixControl, 2, (control|msixEnable)&^msixMaskAll)
	return m, nil
}

// Set makes vector i send data to address, and unmasks it.
func (m *MSIX) Set(i int, address uint64, data uint32) error {
	if i < 0 || i >= m.Vectors {
		return fmt.Errorf("%w: %v has vectors 0 to %d, not %d", ErrNoMSIX, m.fn, m.Vectors-1, i)
	}
	at := uint64(i) * msixEntry
	m.table.Write32(at+msixEntryFlags, msixEntryMask)
	m.table.Write32(at, uint32(address))
	m.table.Write32(at+4, uint32(address>>32))
	m.table.Write32(at+msixEntryData, data)
	m.table.Write32(at+msixEntryFlags, 0)
	return nil
}

// Close turns messages off.
func (m *MSIX) Close() {
	control := m.fn.Read(m.offset+msixControl, 2)
	m.fn.Write(m.offset+msixControl, 2, control&^msixEnable)
}
