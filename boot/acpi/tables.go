package acpi

// Capacities of Tables.
const (
	MaxProcessors = 256
	MaxIOAPICs    = 16
	MaxOverrides  = 32
	MaxECAMs      = 16
)

// Processor is a logical processor that is enabled (5.2.12.2, 5.2.12.12).
type Processor struct {
	APIC uint32 // identifier of its local APIC; above 254 only reachable as x2APIC
	UID  uint32
}

// IOAPIC is an interrupt controller for wires (5.2.12.3).
type IOAPIC struct {
	ID      uint32
	Address uint64 // physical
	First   uint32 // global number of its first interrupt
}

// Override says that an ISA interrupt has another global number, polarity or
// trigger mode than usual (5.2.12.5).
type Override struct {
	IRQ    uint8  // ISA interrupt
	Global uint32 // its global number
	Flags  uint16 // bits 0-1 polarity, bits 2-3 trigger mode (table 5.26)
}

// ECAM is memory-mapped PCI configuration space (PCI Firmware Specification
// 3.3, 4.1.2): the registers of bus b, device d, function f are at
// Base + (b<<20 | d<<15 | f<<12). Base belongs to bus 0, even if the first bus
// is another.
type ECAM struct {
	Base        uint64 // physical
	Segment     uint16
	First, Last uint8 // buses
}

// Tables is what was found.
type Tables struct {
	Present bool // there is a root pointer with a table of tables

	LocalAPIC uint64 // physical address of the local APICs' registers; 0 without a MADT
	PICs      bool   // the machine also has two 8259 controllers, to be masked

	Processors    [MaxProcessors]Processor
	NumProcessors int // 0 without a MADT: there is the one that runs

	IOAPICs    [MaxIOAPICs]IOAPIC
	NumIOAPICs int

	Overrides    [MaxOverrides]Override
	NumOverrides int

	ECAMs    [MaxECAMs]ECAM
	NumECAMs int

	// PMTimer is the I/O port of the power management timer, which counts
	// at 3.579545 MHz (4.8.3.3), or 0. PMTimer32 says that it counts with 32
	// bits, not 24.
	PMTimer   uint16
	PMTimer32 bool

	HPET uint64 // physical address of the registers of the High Precision Event Timer, or 0

	Corrupt int // tables that were short, unreadable or had a wrong checksum
	Dropped int // entries beyond the capacities or with a senseless length
}
