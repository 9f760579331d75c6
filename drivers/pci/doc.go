// Package pci finds the functions on the machine's PCI buses, gives addresses
// to those that firmware left without, and programs their interrupts. Section
// numbers in its comments are those of the PCI Local Bus Specification 3.0
// ("PCI"), the PCI-to-PCI Bridge Architecture 1.2 ("Bridge") and the PCI
// Express Base Specification 4.0 ("PCIe").
//
// A Bus is what Scan found through an Access: memory-mapped configuration
// space (ECAM) where ACPI names it, I/O ports 0xcf8 and 0xcfc otherwise, a
// model in tests. Machine returns the machine's own (metal). It has been tried
// on QEMU's q35 and pc with SeaBIOS, which assigns addresses and bus numbers, and
// with qboot, which does not, and on microvm with pcie=on, where not even the
// ECAM is in ACPI's tables; TestMachines repeats it.
//
// Invariants: a base address that firmware gave is kept. New ones overlap
// neither those nor memory nor configuration space; if there is no room the
// register stays unassigned and using it is an error. What a function says of
// itself is checked: lists of capabilities may loop or point anywhere, tables
// may lie outside of their BAR, bridges may form rings. Nothing of a function
// is enabled before a driver calls Enable.
//
// Caveats: the windows that a host bridge decodes are told by AML, which is
// not interpreted. New addresses are taken from the hole below 4 GiB that PC
// chipsets and QEMU's machines all decode, and only what does not fit there
// from the top quarter of the physical address space. I/O port BARs are not
// assigned, hot plug is not handled, only segment group 0 is scanned.
package pci
