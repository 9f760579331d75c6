//go:build metal

package acpi

import "nuos/boot"

// tables is written by Load and read-only afterwards.
var tables Tables

// Load reads the machine's tables. The kernel calls it once, after boot.Parse
// and while the address space is still that of the entry code.
func Load() *Tables {
	Parse(&tables, boot.EarlyMemory, boot.Machine().RSDP)
	return &tables
}

// Machine returns what Load found. The result is shared and must not be
// changed.
func Machine() *Tables { return &tables }
